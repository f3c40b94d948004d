"""The tokenizer trained on the spot: what the rewards rely on."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from trainer.tokenizers import BOS, EOS, PAD, train_bpe

CORPUS = ["def f(xs):\n    ys = [x + 12 for x in xs]\n\n    return sum(ys)\n"] * 20
TOKENIZER = train_bpe(CORPUS, 320)


@pytest.mark.parametrize("text", ["a\n\n\nb", "\n    \n", "x\r\n\ty\n", "\n\n", "def f(xs):\n    ys"])
def test_every_newline_is_a_token_of_its_own(text: str) -> None:
    tokens = TOKENIZER.convert_ids_to_tokens(TOKENIZER(text).input_ids)
    assert [token for token in tokens if "Ċ" in token] == ["Ċ"] * text.count("\n")


def test_newlines_stay_alone_even_if_the_corpus_is_nothing_else() -> None:
    tokenizer = train_bpe(["\n\n\n\n    \n\n"] * 50, 300)
    assert len(tokenizer("\n\n\n").input_ids) == 3


def test_digits_are_split() -> None:
    tokens = TOKENIZER.convert_ids_to_tokens(TOKENIZER("x = 1212").input_ids)
    assert tokens[-4:] == ["1", "2", "1", "2"]


@settings(max_examples=200, deadline=None)
@given(st.text())
def test_any_text_survives(text: str) -> None:
    encoded = TOKENIZER(text, return_offsets_mapping=True)
    assert TOKENIZER.decode(encoded.input_ids) == text
    assert {at for span in encoded.offset_mapping for at in range(*span)} == set(range(len(text)))


def test_special_tokens_are_ids_0_1_2_and_are_not_read_from_text() -> None:
    assert (TOKENIZER.pad_token_id, TOKENIZER.bos_token_id, TOKENIZER.eos_token_id) == (0, 1, 2)
    text = f"{PAD}{BOS}{EOS}"
    ids = TOKENIZER(text).input_ids
    assert not {0, 1, 2} & set(ids)
    assert TOKENIZER.decode(ids, skip_special_tokens=True) == text


def test_saved_and_loaded_it_encodes_the_same(tmp_path) -> None:
    TOKENIZER.save_pretrained(tmp_path)
    text = "def f(x):\n\treturn '😀' + \"</s>\"\r\n" + EOS
    assert AutoTokenizer.from_pretrained(tmp_path)(text).input_ids == TOKENIZER(text).input_ids


def test_a_vocabulary_without_room_for_the_bytes_is_refused() -> None:
    with pytest.raises(ValueError, match="259"):
        train_bpe(CORPUS, 100)
