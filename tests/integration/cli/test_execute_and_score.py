"""`linewise execute` and `linewise score` against live services."""

import json

import pytest

from services.executor.app import create_app as create_executor
from services.executor.settings import ExecutorSettings
from services.scorer.app import create_app as create_scorer
from services.scorer.settings import ModelSource, ScorerSettings

CODE = "def add(a, b):\n    # sum\n    return a + b\n"


@pytest.fixture
def executor(serve) -> str:
    return serve(create_executor(ExecutorSettings(workers=1)))


@pytest.fixture
def scorer(serve, checkpoint) -> str:
    return serve(create_scorer(ScorerSettings(models=(ModelSource("prm", checkpoint),), torch_threads=1)))


@pytest.fixture
def program(tmp_path):
    (tmp_path / "add.py").write_text(CODE)
    return "add.py"


def test_an_accepted_program_exits_0_and_a_wrong_one_1(linewise, executor, program, tmp_path):
    call = {"kind": "call", "function": "add", "args": [2, 2], "expected": 4}
    (tmp_path / "tests.txt").write_text(f"assert add(1, 2) == 3\n\n{json.dumps(call)}\n")
    right = linewise("execute", program, "--tests", "tests.txt", "--url", executor)
    assert right.returncode == 0, right.stderr
    assert "accepted (2/2)" in right.stdout

    wrong = linewise("execute", program, "--test", "assert add(1, 2) == 4", "--json", "--url", executor)
    assert wrong.returncode == 1
    assert json.loads(wrong.stdout)["verdict"] == "wrong_answer"
    assert wrong.stderr == "linewise: add.py: wrong_answer, 0 of 1 tests passed.\n"


def test_every_line_is_shown_with_its_score(linewise, scorer, program):
    table = linewise("score", program, "--prompt", "Add two numbers.", "--url", scorer)
    assert table.returncode == 0, table.stderr
    assert all(line in table.stdout for line in ("def add(a, b):", "# sum", "return a + b", "mean 0."))

    as_json = json.loads(linewise("score", program, "--prompt", "Add.", "--url", scorer, "--json").stdout)
    assert [step["kind"] for step in as_json["steps"]] == ["code", "comment", "code"]
    assert as_json["steps"][1]["score"] is None


def test_a_model_that_is_not_there_is_one_sentence(linewise, scorer, program):
    result = linewise("score", program, "--prompt", "Add.", "--model", "nobody", "--url", scorer)
    assert result.returncode == 2
    assert "nobody" in result.stderr
    assert result.stderr.count("\n") == 1
