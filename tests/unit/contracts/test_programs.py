"""Where a completion's program is, for every shape of completion that policies write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts.programs import find_program, read_program, read_text

CODE = "def f(x):\n    return x + 1\n"


@pytest.mark.parametrize(
    ("completion", "program"),
    [
        (CODE, CODE),
        ("", ""),
        (f"Sure!\n```python\n{CODE}```\nThat adds one.", CODE),
        (f"```\n{CODE}```", CODE),
        (f"   ~~~py\n{CODE}   ~~~~\n", CODE),
        (f"```python\r\n{CODE}```\r\n", CODE),
        (f"```python\n{CODE}", CODE),
        (f"```python\nwrong\n```\nNo, better:\n```python\n{CODE}```", CODE),
        (f"```python\n{CODE}```\nPrints:\n```text\n2\n```", CODE),
        (f"```Python3 title='a'\n{CODE}```", CODE),
        (f"````python\n{CODE}```\n````", CODE + "```\n"),
        ("```python\n```", ""),
        ("```python", ""),
        (f"    ```\n{CODE}", f"    ```\n{CODE}"),
        ("Call `f` or ```f(1)``` now", "Call `f` or ```f(1)``` now"),
        ("a ``` b\n", "a ``` b\n"),
    ],
)
def test_the_program_is_the_last_python_block_or_the_last_block_or_everything(completion: str, program: str) -> None:
    assert read_program(completion) == program


def test_a_completion_of_an_open_fence_ends_where_the_fence_does() -> None:
    prompt = "Add one.\n```python\n"
    assert read_program(f"{CODE}```\nThat adds one.\n```text\n2\n```", prompt) == CODE
    assert read_program(CODE, prompt) == CODE


@pytest.mark.parametrize("prompt", ["Like this:\n```python\nx = 1\n```\n", "```python\nx = 1", "Add one.", "```\n\nx"])
def test_a_prompt_that_only_shows_code_opens_nothing(prompt: str) -> None:
    assert read_program(CODE, prompt) == CODE


@given(st.text(alphabet="`~ \n\rpyx"), st.text(alphabet="`~ \npy"))
def test_the_span_is_always_inside_the_text(text: str, prompt: str) -> None:
    start, end = find_program(text, prompt)
    assert 0 <= start <= end <= len(text)


def test_messages_are_read_as_their_texts() -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Add "}, {"type": "text", "text": "one."}]},
    ]
    assert read_text(messages) == "Be brief.\n\nAdd one."
    assert read_text("Add one.") == "Add one."


@pytest.mark.parametrize("content", [None, 3, [{"type": "image_url", "image_url": "x"}], ["text"]])
def test_a_message_without_text_is_refused(content: object) -> None:
    with pytest.raises(ValueError, match="message"):
        read_text([{"role": "user", "content": content}])
