"""Which characters of the decoded text belong to which token, exactly.

A character belongs to the token that *completes* it: of the four byte tokens of an emoji, the last. So the spans of a
response cut its text into neighbouring pieces, and the token that holds a step's last character is the first at which
that step can be read whole.
"""

import codecs
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
        """Ends by decoding the tokens' bytes one after the other; None where that is not how `text` came about."""
        if self._bytes is None or any(token >= len(self._bytes) for token in ids):
            return None
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        pieces = [decoder.decode(self._bytes[token]) for token in ids]
        ends = list(accumulate(len(piece) for piece in pieces))
        return ends if "".join([*pieces, decoder.decode(b"", final=True)]) == text else None

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


def _byte_table(tokenizer: Any) -> list[bytes] | None:
    """The bytes of every token of a byte-level vocabulary; None where the vocabulary is of another kind."""
    alphabet = _byte_alphabet()
    added = {token: str(content) for token, content in tokenizer.added_tokens_decoder.items()}
    special = set(tokenizer.all_special_ids)
    table = [b""] * len(tokenizer)
    for text, token in tokenizer.get_vocab().items():
        if token in special:
            continue
        if token in added:
            table[token] = added[token].encode()
        elif alphabet.keys() >= set(text):
            table[token] = bytes(alphabet[character] for character in text)
        else:
            return None
    return table


def _byte_alphabet() -> dict[str, int]:
    """The printable characters that stand for the 256 bytes in a byte-level vocabulary.

    A printable Latin-1 byte stands for itself, the others are numbered from 256 in their order. Source: GPT-2's
    encoder, https://github.com/openai/gpt-2/blob/master/src/encoder.py.
    """
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + at): byte for at, byte in enumerate(others)}
