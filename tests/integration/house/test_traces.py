"""One trace and one request id from whoever asks through every process that works for him."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from trainer.policies import new_policy
from trainer.tokenizers import train_bpe

TRACE, PARENT = "0af7" * 8, "b7ad" * 4
TRACEPARENT = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
CODE = "def f(x):\n    return x\n"


def test_a_job_is_one_trace_from_its_request_to_the_executor(house: Any, collector: Any, wait_until: Any) -> None:
    problem = {"id": "traced", "prompt": "Say it.", "solution": CODE, "tests": ["assert f(1) == 1"]}
    headers = TRACEPARENT | {"X-Request-ID": "job-of-ada"}
    with house.client("labeler") as client:
        client.post("/jobs", json={"name": "traced", "problems": [problem]}, headers=headers).raise_for_status()

    def kinds() -> set[str]:
        return {f"{span.service}: {span.name}" for span in collector.of(TRACE)}

    expected = {
        "linewise-labeler: POST /jobs",
        "linewise-worker: label problems",
        "linewise-worker: POST executor",
        "linewise-executor: POST /execute/batch",
    }
    wait_until(lambda: expected <= kinds())
    spans = {span.id: span for span in collector.of(TRACE)}
    [executed] = [span for span in spans.values() if span.name == "POST /execute/batch"][:1]
    chain = [executed]
    while chain[-1].parent in spans:
        chain.append(spans[chain[-1].parent])
    assert [span.name for span in chain] == ["POST /execute/batch", "POST executor", "label problems", "POST /jobs"]
    assert chain[-1].parent == PARENT
    assert {span.attributes["request.id"] for span in chain if "request.id" in span.attributes} == {"job-of-ada"}

    lines = [line for line in house.lines() if line.get("request_id") == "job-of-ada"]
    assert {line["route"] for line in lines if line["message"] == "request"} >= {"/jobs", "/execute/batch"}
    assert {line["trace_id"] for line in lines if line["message"] == "request"} == {TRACE}


def test_each_iteration_of_ppo_is_one_trace_through_scorer_and_executor(
    house: Any, collector: Any, wait_until: Any, tmp_path: Path
) -> None:
    tokenizer = train_bpe([CODE * 9], 280)
    new_policy("llama", tokenizer, width=16, layers=1, heads=2, inner_width=32, seed=0).save(tmp_path / "policy")
    command = [sys.executable, "-P", "-m", "services.cli", "train", "ppo", "--policy", str(tmp_path / "policy")]
    command += ["--run-dir", str(tmp_path / "run"), "--problems", "lists:train?count=8", "--reward", "process+outcome"]
    command += ["--iterations", "2", "--rollouts", "8", "--max-new-tokens", "12"]
    trained = subprocess.run(command, env=house.environment, capture_output=True, text=True, timeout=120)
    assert trained.returncode == 0, trained.stderr

    def iterations() -> dict[str, Any]:
        return {span.attributes["iteration"]: span for span in collector.all() if span.name == "ppo iteration"}

    wait_until(lambda: len(iterations()) == 2)
    assert {span.service for span in iterations().values()} == {"linewise-trainer"}
    expected = {"ppo iteration", "judge", "POST scorer", "POST executor", "POST /score/batch", "POST /execute/batch"}
    for span in iterations().values():
        wait_until(lambda span=span: expected <= {it.name for it in collector.of(span.trace)})
        assert {it.parent for it in collector.of(span.trace) if it.name == "judge"} == {span.id}


def test_spans_tell_nothing_of_what_was_submitted(house: Any, collector: Any, wait_until: Any) -> None:
    marker = "marker_45c48cce"
    trace = "c" * 32
    with house.client("executor") as client:
        body = {"code": f"raise ValueError('{marker}')", "tests": [f"assert {marker}"]}
        client.post("/execute", json=body, headers={"traceparent": f"00-{trace}-{PARENT}-01"}).raise_for_status()
    wait_until(lambda: collector.of(trace))
    assert not collector.said(marker)
