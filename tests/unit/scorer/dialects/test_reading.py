"""Prompts and programs told apart, or refused."""

import pytest

from services.kit.errors import BadRequestError
from services.scorer.dialects.reading import ANSWER_MARKERS, STOP_TEXTS, Found, Reader, behind_prompt

CODE = "def f(x):\n    return x + 1\n"
PROMPT = "Write a function that adds one to its argument.\n"
READER = Reader()


def test_the_prompt_is_taken_off_the_query() -> None:
    assert READER.query(PROMPT + CODE, PROMPT) == Found(PROMPT, CODE, len(PROMPT))


def test_a_prompt_cut_from_its_beginning_is_found_by_its_end() -> None:
    assert behind_prompt(PROMPT[20:] + CODE, PROMPT) == len(PROMPT) - 20
    assert READER.query(PROMPT[20:] + CODE, PROMPT).code == CODE


@pytest.mark.parametrize("query", [CODE, "", PROMPT[-15:] + CODE, " " + PROMPT + CODE])
def test_a_query_that_does_not_begin_with_its_prompt_is_refused(query: str) -> None:
    with pytest.raises(BadRequestError) as refused:
        READER.query(query, PROMPT)
    assert refused.value.code == "prompt_not_found"


@pytest.mark.parametrize("stop", STOP_TEXTS)
def test_ends_of_a_sequence_are_dropped_however_many(stop: str) -> None:
    assert READER.query(f"{PROMPT}{CODE}{stop}\n{stop}{stop}\n", PROMPT).code.rstrip() == CODE.rstrip()


def test_an_answer_of_nothing_but_ends_is_empty() -> None:
    assert READER.query(PROMPT + "</s> <pad>\n" * 20_000, PROMPT).code == ""


def test_without_an_end_the_code_keeps_its_last_newline() -> None:
    assert READER.query(PROMPT + "x = 1\n\n", PROMPT).code == "x = 1\n\n"


def test_a_fenced_block_is_found_at_its_place_in_the_whole() -> None:
    query = f"{PROMPT}Sure:\n```python\n{CODE}```\nDone.</s>"
    found = READER.query(query, PROMPT)
    assert (found.code, query[found.start :][: len(CODE)]) == (CODE, CODE)


@pytest.mark.parametrize("marker", ANSWER_MARKERS)
def test_a_rendered_chat_is_split_at_its_answer(marker: str) -> None:
    text = f"<user>{PROMPT}{marker}{CODE}<|im_end|>\n"
    assert READER.chat_text(text) == Found(f"<user>{PROMPT}", CODE, text.index("def"))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (PROMPT + CODE, "prompt_not_marked"),
        (f"{PROMPT}[/INST]{CODE}[/INST]x = 1", "prompt_ambiguous"),
        (f"{PROMPT}<|im_start|>assistant\nbad<|assistant|>\nx = 1", "prompt_ambiguous"),
        (f"{PROMPT}[/INST]First.<extra_0>Second.<extra_0>", "foreign_steps"),
    ],
)
def test_a_text_that_does_not_say_is_refused(text: str, code: str) -> None:
    with pytest.raises(BadRequestError) as refused:
        READER.chat_text(text)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (0, Found("", "p\n\nx\n", 0)),
        (1, Found("p", "\nx\n", 2)),
        (2, Found("p\n", "x\n", 3)),
        (3, Found("p\n\nx", "", 5)),
        (9, Found("p\n\nx", "", 5)),
    ],
)
def test_the_flat_form_has_so_many_lines_of_prompt(lines: int, found: Found) -> None:
    assert READER.lines("p\n\nx\n", lines) == found


def test_a_chat_is_its_texts_and_the_assistants_last_word() -> None:
    messages = [{"role": "user", "content": "Add one."}, {"role": "assistant", "content": f"Sure:\n```\n{CODE}```"}]
    assert READER.messages(messages) == Found("Add one.", CODE, len("Sure:\n```\n"))


@pytest.mark.parametrize("messages", [[], [{"role": "user", "content": "Add one."}]])
def test_a_chat_without_an_answer_is_refused(messages: list[dict[str, str]]) -> None:
    with pytest.raises(BadRequestError) as refused:
        READER.messages(messages)
    assert refused.value.code == "no_answer"
