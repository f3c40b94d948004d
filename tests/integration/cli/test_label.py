"""`linewise label` starts what it needs, labels, and leaves nothing behind."""

import json
import os
from pathlib import Path

import pyarrow.parquet as pq
from fastapi import FastAPI, Request

GOOD = {
    "id": "good",
    "prompt": "Limit x.",
    "solution": "def clamp(x, high):\n    if x > high:\n        return high\n    return x\n",
    "tests": ["assert clamp(5, 3) == 3", "assert clamp(1, 3) == 1"],
}
BROKEN = {"id": "broken", "prompt": "Add one.", "solution": "def f(x):\n    return x\n", "tests": ["assert f(1) == 2"]}


def test_labels_are_written_a_broken_problem_is_listed_and_keys_are_used(linewise, tmp_path):
    (tmp_path / "p.jsonl").write_text("".join(json.dumps(problem) + "\n" for problem in (GOOD, BROKEN)))
    settings = {"TMPDIR": str(tmp_path), "LINEWISE_API_KEYS": "first,second"}
    result = linewise("label", "p.jsonl", "-o", "out/l.jsonl", "--mutants-per-step", "1", **settings)
    assert result.returncode == 0, result.stderr
    assert "broken" in result.stdout

    records = [json.loads(line) for line in (tmp_path / "out" / "l.jsonl").read_text().splitlines()]
    assert {record["problem_id"] for record in records} == {"good"}
    reference = next(record for record in records if record["origin"] == "reference")
    assert {step["label"] for step in reference["steps"]} == {1}
    assert any(step["label"] == 0 for record in records for step in record["steps"])

    parquet = ("--format", "parquet", "--card", "cards/README.md", "--license", "MIT")
    result = linewise("label", "p.jsonl", "-o", "out/l.parquet", "--mutants-per-step", "1", *parquet, **settings)
    assert result.returncode == 0, result.stderr
    rows = pq.read_table(tmp_path / "out" / "l.parquet").to_pylist()
    assert [(row["code"], row["steps"]) for row in rows] == [(one["code"], one["steps"]) for one in records]
    card = (tmp_path / "cards" / "README.md").read_text()
    assert 'license: "mit"' in card
    assert "| broken | the reference solution fails its own tests" in card

    assert not list(tmp_path.glob("linewise-*"))
    assert not [pid for pid in os.listdir("/proc") if pid.isdigit() and str(tmp_path) in command_line(pid)]


def command_line(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def test_a_model_teaches_its_replies_are_kept_and_two_files_are_compared(linewise, serve, tmp_path):
    """The second run asks nothing, though its services are new; the key is in neither output."""
    asked: list[str | None] = []
    app = FastAPI()

    @app.post("/v1/chat/completions")
    async def answer(request: Request) -> dict[str, object]:
        asked.append(request.headers.get("authorization"))
        code = GOOD["solution"].replace("x > high", "x < high")
        message = {"role": "assistant", "content": f"```python\n{code}```"}
        return {"choices": [{"message": message, "finish_reason": "stop"}]}

    (tmp_path / "p.jsonl").write_text(json.dumps(GOOD) + "\n")
    teacher = ("--teacher", "openai", "--teacher-url", f"{serve(app)}/v1", "--teacher-model", "m")
    key = ("--teacher-key-env", "MY_KEY", "--teacher-max-requests", "100")
    first = linewise("label", "p.jsonl", "-o", "taught.jsonl", *teacher, *key, MY_KEY="sk-secret")
    assert first.returncode == 0, first.stderr
    assert set(asked) == {"Bearer sk-secret"}
    assert f"{len(asked)} paid for" in first.stdout
    assert "sk-secret" not in first.stdout + first.stderr

    questions = len(asked)
    second = linewise("label", "p.jsonl", "-o", "again.jsonl", *teacher, *key, MY_KEY="sk-secret")
    assert "0 paid for" in second.stdout
    assert len(asked) == questions
    assert (tmp_path / "again.jsonl").read_text() == (tmp_path / "taught.jsonl").read_text()

    assert linewise("label", "p.jsonl", "-o", "rules.jsonl").returncode == 0
    compared = linewise("compare-teachers", "rules.jsonl", "taught.jsonl", "--json")
    figures = json.loads(compared.stdout)
    assert figures["same_steps"]["both_positive"] >= 4
    assert figures["places"]["compared"] == 4
    assert {row["teacher"] for row in figures["b"]["operators"]} == {"openai:m"}
    assert "openai:m" in linewise("compare-teachers", "rules.jsonl", "taught.jsonl").stdout
    broken = linewise("compare-teachers", "rules.jsonl", "p.jsonl")
    assert (broken.returncode, "line 1: no label record" in broken.stderr) == (2, True)
