"""A text's ids by its words, each of which is tokenized once.

A byte-level tokenizer's expression takes a microsecond a token, and programs have few different words. A *word* is what
stands before the next white space, with the white space before it. No token of such a tokenizer goes over a word's end,
and how a word is tokenized depends on nothing outside of it, so a text's ids are its words' ids. Leaves out: tokenizers
of which that is not known, and texts that are not ASCII, where white space has several definitions.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tokenizers import Tokenizer, models

_WORD = re.compile(r"\s*\S+|\s+", re.ASCII)
_MOST_CHARACTERS = 50_000
"""Of the words that are known at a time: some thousand words, two megabytes."""


class Words:
    """The words that `tokenizer` met; any thread may use it at any time."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._keeps_words = keeps_words(tokenizer)
        self._known: dict[str, list[int]] = {}
        self._characters = 0

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Of each text, with no special tokens added."""
        if not self._keeps_words:
            return self._encode(texts)
        known = self._known  # another thread may begin a new one; in this one nothing is ever changed or lost
        words = [_WORD.findall(text) if text.isascii() else [text] for text in texts]
        if new := list({word: None for of_text in words for word in of_text if word not in known}):
            known.update(zip(new, self._encode(new), strict=True))
            self._make_room(sum(map(len, new)))
        return [[token for word in of_text for token in known[word]] for of_text in words]

    def _encode(self, texts: Sequence[str]) -> list[list[int]]:
        encoded = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [one.ids for one in encoded]

    def _make_room(self, characters: int) -> None:
        """Forget all words once there are too many."""
        self._characters += characters
        if self._characters > _MOST_CHARACTERS:
            self._known, self._characters = {}, 0


def keeps_words(tokenizer: Tokenizer) -> bool:
    """Whether its tokens never go over a word's end, nor depend on what is there."""
    model, added = tokenizer.model, tokenizer.get_added_tokens_decoder().values()
    return (
        tokenizer.normalizer is None
        and isinstance(model, models.BPE)
        and model.dropout is None
        and not any(token.rstrip or re.search(r"\s", token.content) for token in added)
        and tokenizer.pre_tokenizer is not None
        and _cuts_at_words(json.loads(tokenizer.pre_tokenizer.__getstate__()))
    )


def _cuts_at_words(cutter: Mapping[str, Any]) -> bool:
    """Byte level's expression begins a token at every white space that is behind another character, and what may cut
    before it looks at one character at a time."""
    cutters = cutter.get("pretokenizers", [cutter])
    return all(map(_ends_with_words, cutters)) and any(one["type"] == "ByteLevel" for one in cutters)


def _ends_with_words(cutter: Mapping[str, Any]) -> bool:
    match cutter:
        case {"type": "ByteLevel", "use_regex": True, "add_prefix_space": False} | {"type": "Digits"}:
            return True
        case {"type": "Split", "pattern": {"Regex": r"\n"} | {"String": "\n"}, "behavior": "Isolated", "invert": False}:
            return True
    return False
