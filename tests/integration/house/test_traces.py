"""One trace and one request id from whoever asks through every process that works for him."""

import subprocess
import sys
from typing import Any

TRACE, PARENT = "0af7" * 8, "b7ad" * 4
TRACEPARENT = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
CODE = "def f(x):\n    return x\n"

_TRAIN = """
import sys
from services import tracing
from services.contracts import Problem
from trainer.judging import Program
from trainer.remote import RemoteRewards

tracing.configure("linewise-trainer")
problem = Problem(id="1", prompt="Say it.", solution=sys.argv[1], tests=["assert f(1) == 1"])
with RemoteRewards("process+outcome") as rewards, tracing.span("iteration"):
    [judgement] = rewards.judge([Program(problem=problem, code=sys.argv[1])]).result()
    assert judgement is not None
    print(tracing.current_trace_id())
tracing.flush()
"""


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


def test_a_trainers_iteration_is_one_trace_through_scorer_and_executor(
    house: Any, collector: Any, wait_until: Any
) -> None:
    command = [sys.executable, "-c", _TRAIN, CODE]
    trained = subprocess.run(command, env=house.environment, capture_output=True, text=True, timeout=120)
    assert trained.returncode == 0, trained.stderr
    trace = trained.stdout.strip()
    expected = {"iteration", "judge", "POST scorer", "POST executor", "POST /score/batch", "POST /execute/batch"}
    wait_until(lambda: expected <= {span.name for span in collector.of(trace)})


def test_spans_tell_nothing_of_what_was_submitted(house: Any, collector: Any, wait_until: Any) -> None:
    marker = "marker_45c48cce"
    trace = "c" * 32
    with house.client("executor") as client:
        body = {"code": f"raise ValueError('{marker}')", "tests": [f"assert {marker}"]}
        client.post("/execute", json=body, headers={"traceparent": f"00-{trace}-{PARENT}-01"}).raise_for_status()
    wait_until(lambda: collector.of(trace))
    assert not collector.said(marker)
