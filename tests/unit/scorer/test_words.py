"""Words give the ids that the tokenizer itself gives, whatever the text."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

from services.scorer import words as module
from services.scorer.words import Words, keeps_words
from trainer.tokenizers import train_bpe

CODE = ["def solve(items):\n    total = items[0] + 12\n\treturn  total  # it's done\n", "it's 'we'll' <mask>!"]
TEXT = st.text(
    alphabet=st.sampled_from(list("ab's=(7 \t\n\r\f\v\x1c\x85\xa0\u2028é🎉<>|mask")), max_size=60
) | st.lists(
    st.sampled_from(["<mask>", "<|bos|>", " ", "  ", "\n", "'s", " 's", "def", "12", "é", "("]), max_size=20
).map("".join)


def byte_level(*added: AddedToken, before: Any = None, **options: Any) -> Tokenizer:
    """GPT-2's tokenizer in small."""
    tokenizer = Tokenizer(models.BPE())
    last = pre_tokenizers.ByteLevel(**{"add_prefix_space": False} | options)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([before, last]) if before else last
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        CODE, trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet, show_progress=False)
    )
    tokenizer.add_tokens(list(added))
    return tokenizer


KEEPING = {
    "ours": train_bpe(CODE, vocab_size=300).backend_tokenizer,
    "GPT-2's": byte_level(),
    "SmolLM2's": byte_level(before=pre_tokenizers.Digits(individual_digits=True)),
    "RoBERTa's": byte_level(AddedToken("<mask>", lstrip=True, special=True), AddedToken("<s>", special=True)),
}
WORD_LEVEL = Tokenizer(models.WordLevel({"a": 0, "?": 1}, unk_token="?"))
WORD_LEVEL.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
NORMALIZING = byte_level()
NORMALIZING.normalizer = normalizers.Strip()
OTHERS = {
    "no merges": WORD_LEVEL,
    "a normalizer": NORMALIZING,
    "nothing that cuts": Tokenizer(models.BPE({"a": 0, " ": 1, "a ": 2}, [("a", " ")])),
    "a prefix space": byte_level(add_prefix_space=True),
    "no expression": byte_level(use_regex=False),
    "a token of spaces": byte_level(AddedToken("    ")),
    "a token that takes what is behind it": byte_level(AddedToken("<mask>", rstrip=True)),
    "an expression of its own": byte_level(before=pre_tokenizers.Split(Regex(r"\S \S"), "isolated")),
}


def plain(tokenizer: Tokenizer, texts: list[str]) -> list[list[int]]:
    return [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]


@pytest.mark.parametrize("name", KEEPING)
@given(texts=st.lists(TEXT, max_size=4))
def test_a_texts_ids_are_its_words_ids(name: str, texts: list[str]) -> None:
    assert keeps_words(KEEPING[name])
    words = Words(KEEPING[name])
    for _ in range(2):
        assert words.ids([*texts, *CODE]) == plain(KEEPING[name], [*texts, *CODE])


@pytest.mark.parametrize("name", OTHERS)
@given(text=TEXT)
def test_a_tokenizer_whose_tokens_go_over_words_reads_whole_texts(name: str, text: str) -> None:
    assert not keeps_words(OTHERS[name])
    assert Words(OTHERS[name]).ids([text]) == plain(OTHERS[name], [text])


def test_a_word_is_tokenized_once_until_too_many_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_CHARACTERS", 12)
    asked: list[list[str]] = []
    encode = Words._encode

    def noting(self: Words, texts: list[str]) -> list[list[int]]:
        asked.append(texts)
        return encode(self, texts)

    monkeypatch.setattr(Words, "_encode", noting)
    words = Words(KEEPING["ours"])
    for text in ("a = 1", "b = 1", "c = 1\n    d", "a = 1"):
        assert words.ids([text]) == plain(KEEPING["ours"], [text])
    assert asked == [["a", " =", " 1"], ["b"], ["c", "\n    d"], ["a", " =", " 1"]]
