"""Problem sets: what a spec names, and what is said of one that names nothing."""

from pathlib import Path

import pytest

from services.contracts import Problem
from trainer.problems import ProblemFileError, UnknownSpecError, load_problems
from trainer.problems.files import write_jsonl
from trainer.problems.specs import parse_ranges

PROBLEM = Problem(id="one", prompt="Add one.", solution="def f(x):\n    return x + 1\n", tests=["assert f(1) == 2"])


def test_mbpp_ranges_are_inclusive_and_in_the_order_written() -> None:
    problems = load_problems("mbpp:601-603,1")
    assert [problem.id for problem in problems] == ["Mbpp/601", "Mbpp/602", "Mbpp/603", "Mbpp/1"]


def test_an_id_named_twice_comes_once() -> None:
    assert parse_ranges("3,2-4", first=1, last=9) == [3, 2, 4]


def test_a_path_is_read_as_problems(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "tasks.jsonl", [PROBLEM])
    assert load_problems(str(tmp_path / "tasks.jsonl")) == [PROBLEM]


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ("mbp", "mbpp:601-974"),
        ("MBPP", "mbpp:601-974"),
        ("mbpp:0-3", "from 1 to 974"),
        ("mbpp:9-3", "from 1 to 974"),
        ("mbpp:a", "'a'"),
        ("mbpp?show=1", "shown"),
        ("mbpp?shown=4", "from 0 to 3"),
        ("humaneval:164", "from 0 to 163"),
        ("lists", "lists:train"),
        ("lists:dev", "lists:validation"),
        ("lists:train?count=0", "count must be a number from 1 up"),
        ("lists:train?operations=0-2", "from 1 to 8"),
    ],
)
def test_a_wrong_spec_says_what_is_possible(spec: str, complaint: str) -> None:
    with pytest.raises(UnknownSpecError, match=complaint):
        load_problems(spec)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "line 3"),
        ('{"id": "two"}', "line 3: prompt"),
        ('{"id": "two", "prompt": "", "solution": "", "tests": [], "test": 1}', "line 3: test"),
        (PROBLEM.model_dump_json(), "line 3: the id 'one' occurs a second time"),
    ],
)
def test_an_unreadable_line_is_named_with_its_file(tmp_path: Path, line: str, complaint: str) -> None:
    path = tmp_path / "tasks.jsonl"
    path.write_text(f"{PROBLEM.model_dump_json()}\n\n{line}\n")
    with pytest.raises(ProblemFileError, match=complaint) as caught:
        load_problems(str(path))
    assert caught.value.path == path
    assert caught.value.line == 3


def test_bytes_that_are_no_utf8_are_named_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "tasks.jsonl"
    path.write_bytes(PROBLEM.model_dump_json().encode() + b"\n\xff\n")
    with pytest.raises(ProblemFileError, match="line 2: not valid UTF-8"):
        load_problems(str(path))


def test_a_file_that_is_missing_or_empty_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").touch()
    for name in ("missing.jsonl", "empty.jsonl"):
        with pytest.raises(ProblemFileError, match=name):
            load_problems(str(tmp_path / name))
