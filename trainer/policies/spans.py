"""Which characters of the decoded text belong to which token, exactly.

A character belongs to the token that *completes* it: of the four byte tokens of an emoji, the last. So the spans of a
response cut its text into neighbouring pieces, and the token that holds a step's last character is the first at which
that step can be read whole.
"""

import codecs
import re
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

from trainer.policies.protocol import Span


class TokenSpans:
    """Spans for one tokenizer; its vocabulary is read once."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._bytes = _byte_table(tokenizer)

    def of(self, ids: Sequence[int], text: str) -> list[Span]:
        """The span of each of `ids` in `text`, their decoded text without special tokens.

        Spans are neighbours: the first starts at 0, each at its predecessor's end, the last ends with the text. Bytes
        that are no UTF-8 decode to U+FFFD, which counts like any other character.
        """
        ends = self._ends_by_bytes(ids, text) or self._ends_by_prefixes(ids, text)
        return list(pairwise([0, *ends[:-1], len(text)])) if ids else []

    def _ends_by_bytes(self, ids: Sequence[int], text: str) -> list[int] | None:
        """Ends by decoding the tokens' bytes one after the other; None where that does not give `text`."""
        if any(token >= len(self._bytes) for token in ids):
            return None
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        pieces = [decoder.decode(self._bytes[token]) for token in ids]
        ends = list(accumulate(len(piece) for piece in pieces))
        decoded = "".join([*pieces, decoder.decode(b"", final=True)])
        if decoded == " " + text:  # SentencePiece's first word bears a space that its decoder takes away
            return [max(0, end - 1) for end in ends]
        return ends if decoded == text else None

    def _ends_by_prefixes(self, ids: Sequence[int], text: str) -> list[int]:
        """Ends by decoding every prefix: slower, and right for any tokenizer that writes from left to right."""
        prefixes = (decode(self._tokenizer, ids[: count + 1]) for count in range(len(ids)))
        return list(accumulate((_agreement(prefix, text) for prefix in prefixes), max))


def decode(tokenizer: Any, ids: Sequence[int]) -> str:
    """The text of `ids`, special tokens left out and nothing tidied up."""
    text: str = tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return text


def _agreement(prefix: str, text: str) -> int:
    """How many characters `text` begins with that `prefix` begins with, too."""
    different = (at for at, (mine, other) in enumerate(zip(prefix, text, strict=False)) if mine != other)
    return next(different, min(len(prefix), len(text)))


def _byte_table(tokenizer: Any) -> list[bytes]:
    """The bytes of every token of a byte-level or SentencePiece vocabulary; of any other kind they come out wrong."""
    alphabet = _byte_alphabet()
    added = {token: str(content) for token, content in tokenizer.added_tokens_decoder.items()}
    special = set(tokenizer.all_special_ids)
    plain = {token: text for text, token in tokenizer.get_vocab().items() if token not in special | added.keys()}
    byte_level = all(alphabet.keys() >= set(text) for text in plain.values())
    table = [b""] * len(tokenizer)
    for token, text in plain.items():
        table[token] = bytes(alphabet[character] for character in text) if byte_level else _piece_bytes(text)
    for token in added.keys() - special:
        table[token] = added[token].encode()
    return table


def _piece_bytes(piece: str) -> bytes:
    """The bytes of a SentencePiece token: `<0x0A>` is one byte, `▁` a space."""
    if byte := re.fullmatch("<0x([0-9A-F]{2})>", piece):
        return bytes.fromhex(byte[1])
    return piece.replace("▁", " ").encode()


def _byte_alphabet() -> dict[str, int]:
    """The printable characters that stand for the 256 bytes in a byte-level vocabulary.

    A printable Latin-1 byte stands for itself, the others are numbered from 256 in their order. Source: GPT-2's
    encoder, https://github.com/openai/gpt-2/blob/master/src/encoder.py.
    """
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + at): byte for at, byte in enumerate(others)}
