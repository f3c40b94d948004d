"""Programs made elsewhere: the two formats, packed or not, fenced or not."""

import gzip
import json
from pathlib import Path

import pytest

from trainer.problems import ProblemFileError, load_problems
from trainer.samples import Draft, program_of, read_given, unfenced
from trainer.sampling import Sampling, group, plan

MBPP = load_problems("mbpp:602-603")
HUMANEVAL = load_problems("humaneval:0")


def given(path: Path, *rows: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_packed_file_is_read_whatever_it_is_called(tmp_path: Path) -> None:
    plain = given(tmp_path / "samples.jsonl", {"task_id": "Mbpp/602", "completion": "x = 1\n"})
    packed = tmp_path / "samples"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert [*read_given(packed, MBPP)] == [*read_given(plain, MBPP)] == [Draft(MBPP[0], "given", "x = 1\n")]


def test_a_packed_file_that_is_cut_off_is_named(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"task_id": 602, "completion": ""}\n' * 99)[:-12])
    with pytest.raises(ProblemFileError, match=r"samples\.jsonl\.gz"):
        list(read_given(path, MBPP))


def test_our_own_samples_keep_their_kind_and_likelihood(tmp_path: Path) -> None:
    row = {"task_id": "Mbpp/602", "kind": "sampled", "completion": "x", "tokens": 2, "logprob": -1.5, "verdict": "x"}
    assert [*read_given(given(tmp_path / "samples", row), MBPP)] == [Draft(MBPP[0], "sampled", "x", 2, -1.5)]
    with pytest.raises(ProblemFileError, match="line 1: its kind"):
        list(read_given(given(tmp_path / "samples", {**row, "kind": "best"}), MBPP))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("x = 1\n", "x = 1\n"),
        ("Here it is:\n\n```python\nx = 1\n```\nAnd a test:\n```\nx == 1\n```\n", "x = 1\n"),
        ("```\nx = 1\n", "x = 1\n"),
        (
            'def f():\n    """\n    ```\n    f()\n    ```\n    """\n',
            'def f():\n    """\n    ```\n    f()\n    ```\n    """\n',
        ),
    ],
)
def test_code_is_taken_out_of_its_fence(text: str, code: str) -> None:
    assert unfenced(text) == code


def test_a_whole_program_and_a_completion_come_to_the_same(tmp_path: Path) -> None:
    (problem,) = HUMANEVAL
    rest = problem.solution.removeprefix(problem.prompt)
    path = given(
        tmp_path / "samples",
        {"task_id": "HumanEval/0", "completion": rest},
        {"task_id": "HumanEval/0", "solution": problem.solution},
        {"task_id": "HumanEval/0", "solution": f"Sure:\n```python\n{problem.solution}```\n"},
    )
    assert {program_of(problem, draft.completion) for draft in read_given(path, HUMANEVAL)} == {problem.solution}


def test_programs_of_a_task_stay_together() -> None:
    drafts = [Draft(problem, "given", str(at)) for at in range(40) for problem in MBPP]
    chunks = group(drafts)
    assert [len(chunk) for chunk in chunks] == [40, 40]
    assert [{draft.problem.id for draft in chunk} for chunk in chunks] == [{"Mbpp/602"}, {"Mbpp/603"}]


def test_prompts_of_similar_length_are_written_together() -> None:
    problems = load_problems("mbpp:1-20")
    chunks = plan(problems, Sampling(n=4, greedy=True, temperature=1, top_p=1, max_new_tokens=9, batch_size=8, seed=0))
    assert [(chunk.kind, len(chunk.problems)) for chunk in chunks] == [("greedy", 8)] * 2 + [("greedy", 4)] + [
        ("sampled", 2)
    ] * 10
    lengths = [len(problem.prompt) for chunk in chunks if chunk.kind == "sampled" for problem in chunk.problems]
    assert lengths == sorted(lengths)
    assert {problem.id for chunk in chunks for problem in chunk.problems} == {problem.id for problem in problems}
