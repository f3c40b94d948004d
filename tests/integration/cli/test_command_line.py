"""The command line from outside: help, exit codes, one clear sentence where something cannot be done."""

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from services.cli.app import app

QUICK = [
    [],
    *(
        [name]
        for name in (
            "up",
            "serve",
            "status",
            "worker",
            "execute",
            "score",
            "label",
            "operators",
            "compare-teachers",
            "problems",
            "train",
            "demo",
        )
    ),
    *(["serve", name] for name in ("scorer", "executor", "labeler")),
]
TRAINING = [["train", "sft"], ["train", "prm"], ["train", "ppo"], ["evaluate"]]


@pytest.mark.parametrize("command", QUICK, ids=" ".join)
def test_every_command_has_help(linewise, command):
    result = linewise(*command, "--help")
    assert result.returncode == 0, result.stderr
    assert "Usage:" in result.stdout
    assert " ".join([*command, "[OPTIONS]"]) in result.stdout


@pytest.mark.parametrize("command", TRAINING, ids=" ".join)
def test_training_commands_have_an_option_with_help_for_each_setting(command):
    """In this process: theirs comes from modules that import torch."""
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, [*command, "--help"], catch_exceptions=False)
    assert result.exit_code == 0
    for option in ("--config", "--run-dir", "--seed"):
        assert option in result.output


def test_help_loads_nothing_slow():
    listing = "import sys, services.cli.app; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "transformers", "fastapi", "celery", "sqlalchemy", "httpx", "pydantic"} & set(loaded)


def test_operators_are_listed_with_what_they_may_break_and_an_example(linewise):
    rules = json.loads(linewise("operators", "--json").stdout)
    assert [rule["name"] for rule in rules if rule["kind"] == "mutation"][:2] == ["integer_constant", "float_constant"]
    assert all(rule["may_break"] and rule["before"] != rule["after"] for rule in rules)
    table = linewise("operators", "--kind", "refactoring").stdout
    assert "x = range( 0, n )" in table
    assert "integer_constant" not in table


def test_the_version_is_the_distribution_s(linewise):
    from importlib.metadata import version

    assert linewise("--version").stdout.strip() == f"linewise {version('linewise')}"


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        (["up", "--model", "nowhere"], "no checkpoint in nowhere"),
        (["serve", "scorer", "--model", "prm=nowhere"], "no checkpoint in nowhere"),
        (["up", "--scorer-port", "8002"], "each service needs a port of its own"),
        (["execute", "nowhere.py", "--test", "assert True"], "nowhere.py cannot be read: No such file"),
        (["score", "nowhere.py"], "give either --prompt or --prompt-file"),
        (["problems", "nothing:1-2", "-o", "p.jsonl"], "no problem set 'nothing:1-2'"),
        (["label", "nowhere.jsonl", "-o", "l.jsonl"], "nowhere.jsonl: No such file"),
        (["evaluate", "--policy", "nowhere/at/all"], "nowhere/at/all"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_done_is_one_sentence_and_exit_code_2(linewise, command, complaint):
    result = linewise(*command)
    assert result.returncode == 2
    assert complaint in result.stderr
    assert "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "command", [["up"], ["serve", "executor", "--port", "8002"], ["label", "p.jsonl", "-o", "l.jsonl"]]
)
def test_a_setting_that_means_nothing_is_named(linewise, tmp_path, command):
    (tmp_path / "p.jsonl").write_text('{"id": "1", "prompt": "", "solution": "x = 1", "tests": ["assert x"]}')
    result = linewise(*command, LINEWISE_REDIS_URL="nonsense", LINEWISE_DRAIN_S="soon")
    assert result.returncode == 2
    assert "LINEWISE_DRAIN_S" in result.stderr or "LINEWISE_REDIS_URL" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_dead_redis_is_one_sentence_without_its_password(linewise, free_port):
    result = linewise("up", LINEWISE_REDIS_URL=f"redis://:secret@127.0.0.1:{free_port}/0")
    assert result.returncode == 2
    assert f"no Redis answers at LINEWISE_REDIS_URL (127.0.0.1:{free_port}/0)" in result.stderr
    assert "secret" not in result.stderr


def test_a_service_that_is_not_there_is_one_sentence(linewise, tmp_path, free_port):
    (tmp_path / "f.py").write_text("x = 1\n")
    result = linewise("execute", "f.py", "--test", "assert x", LINEWISE_EXECUTOR_URL=f"http://127.0.0.1:{free_port}")
    assert result.returncode == 2
    assert f"no answer from the executor at http://127.0.0.1:{free_port}" in result.stderr
    assert "linewise up" in result.stderr


def test_an_unreadable_line_names_file_and_line_number(linewise, tmp_path):
    good = {"id": "1", "prompt": "", "solution": "x = 1", "tests": ["assert x"]}
    (tmp_path / "p.jsonl").write_text(f"{json.dumps(good)}\n{{broken\n")
    result = linewise("label", "p.jsonl", "-o", "l.jsonl")
    assert result.returncode == 2
    assert "p.jsonl, line 2:" in result.stderr
    assert not (tmp_path / "l.jsonl").exists()


def test_problems_are_written_as_label_reads_them(linewise, tmp_path):
    assert linewise("problems", "mbpp:601-603", "-o", "p.jsonl").returncode == 0
    rows = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == ["601", "602", "603"] or len(rows) == 3
    assert linewise("problems", "p.jsonl", "-o", "q.jsonl").returncode == 0
    assert (tmp_path / "q.jsonl").read_text() == (tmp_path / "p.jsonl").read_text()
