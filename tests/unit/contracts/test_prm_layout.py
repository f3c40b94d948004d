"""A step's tokens are the same whatever follows it, and it is scored at the newline behind it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts.prm_layout import InputTooLongError, lay_out


def characters(texts: list[str]) -> list[list[int]]:
    return [[ord(character) for character in text] for text in texts]


def test_prompt_and_steps_are_joined_by_newlines_and_scored_at_them() -> None:
    laid_out = lay_out("add", ["a", "", "bc"], characters, prefix_ids=[7])
    assert laid_out.ids == [7, *map(ord, "add\na\n\nbc\n")]
    assert [chr(laid_out.ids[position]) for position in laid_out.positions] == ["\n"] * 3
    assert laid_out.positions == [6, 7, 10]
    assert not laid_out.truncated


@given(st.lists(st.text(max_size=5), max_size=6), st.text(max_size=5))
def test_a_prefix_of_the_steps_is_a_prefix_of_the_input(steps: list[str], prompt: str) -> None:
    whole = lay_out(prompt, steps, characters)
    for count in range(len(steps)):
        part = lay_out(prompt, steps[:count], characters)
        assert whole.ids[: len(part.ids)] == part.ids
        assert whole.positions[:count] == part.positions


def test_only_the_beginning_of_the_prompt_is_ever_cut() -> None:
    laid_out = lay_out("abcdef", ["x", "y"], characters, prefix_ids=[7], max_tokens=8, truncate_prompt=True)
    assert laid_out.ids == [7, *map(ord, "ef\nx\ny\n")]
    assert laid_out.positions == [5, 7]
    assert laid_out.truncated


def test_too_long_an_input_is_an_error_that_says_how_long() -> None:
    with pytest.raises(InputTooLongError) as caught:
        lay_out("abc", ["x"], characters, max_tokens=5)
    assert (caught.value.tokens, caught.value.max_tokens) == (6, 5)
    with pytest.raises(InputTooLongError):
        lay_out("abc", ["x" * 9], characters, max_tokens=5, truncate_prompt=True)
