"""Prompts are files, the package's own or the operator's."""

import pytest

from services.contracts import AssertTest, CallTest, Problem, Segment, split_steps
from services.kit.errors import StartupError
from services.labeler.teachers import Prompts

PROBLEM = Problem(
    id="p",
    prompt="Return $5 more.\n",
    solution="",
    tests=[
        CallTest(function="f", args=[1], expected=6),
        *(AssertTest(code=f"assert f({n}) == {n + 5}") for n in range(9)),
    ],
)
CODE = "def f(x):\n    return (x +\n        5)\n"


@pytest.mark.parametrize(("segment", "place"), [(Segment.LINE, "line 2"), (Segment.STATEMENT, "lines 2 to 3")])
def test_a_change_is_asked_for_with_task_program_place_and_count(segment, place):
    step = split_steps(CODE, segment)[1]
    for name in ("mutate", "refactor"):
        text = Prompts().change(name, PROBLEM, CODE, step, 3)
        for part in (
            "Return $5 more.",
            f"```python\n{CODE}```",
            place,
            CODE[step.start : step.end],
            "Write 3 different",
        ):
            assert part in text


def test_a_completion_begins_where_the_prefix_ends_and_shows_the_first_tests():
    text = Prompts().complete(PROBLEM, "def f(x):\n")
    assert text.endswith('assert f(2) == 7\n"""\ndef f(x):\n')
    assert "f(3)" not in text


def test_the_operators_files_take_the_place_of_the_packages(tmp_path):
    (tmp_path / "complete.txt").write_text("# $prompt\n")
    prompts = Prompts(tmp_path)
    assert prompts.complete(PROBLEM, "x") == "# Return $5 more.\nx"
    assert "fenced block" in prompts.change("mutate", PROBLEM, CODE, split_steps(CODE)[0], 1)


@pytest.mark.parametrize("text", [b"$nothing", b"100 $ ", b"\xff"])
def test_a_file_that_no_prompt_can_be_made_of_is_named_at_once(tmp_path, text):
    (tmp_path / "mutate.txt").write_bytes(text)
    with pytest.raises(StartupError, match=r"mutate\.txt"):
        Prompts(tmp_path)
