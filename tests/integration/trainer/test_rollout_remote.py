"""Judgements over real sockets: what is asked, what an answer becomes, and what no answer becomes."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from fastapi import FastAPI, Response
from transformers import LlamaConfig, LlamaForTokenClassification

from services.client import RequestError
from services.contracts import CallTest, Problem, Verdict
from services.executor.app import create_app as executor_app
from services.scorer.app import create_app as scorer_app
from services.scorer.settings import ModelSource, ScorerSettings
from trainer.judging import Program
from trainer.remote import RemoteRewards
from trainer.tokenizers import train_bpe

Serve = Callable[[FastAPI], str]
PROBLEM = Problem(
    id="1",
    prompt="Add one.",
    solution="def f(x):\n    return x + 1\n",
    tests=[CallTest(function="f", args=[1], expected=2)],
)
RIGHT = Program(PROBLEM, "def f(x):\n    # add\n\n    return x + 1\n")
WRONG = Program(PROBLEM, "def f(x):\n    return x\n")
EMPTY = Program(PROBLEM, "# nothing\n\n")


@pytest.fixture
def scorer_url(serve: Serve, tmp_path: Path) -> str:
    """A scorer that takes at most 64 tokens."""
    tokenizer = train_bpe([PROBLEM.solution], 300)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        num_labels=2, max_position_embeddings=64, pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    LlamaForTokenClassification(config).save_pretrained(tmp_path / "prm")
    tokenizer.save_pretrained(tmp_path / "prm")
    return serve(scorer_app(ScorerSettings(models=(ModelSource("prm", tmp_path / "prm"),))))


def test_a_judgement_holds_the_code_steps_scores_and_the_verdict(scorer_url: str, serve: Serve) -> None:
    with RemoteRewards("process+outcome", scorer_url=scorer_url, executor_url=serve(executor_app())) as remote:
        right, wrong, empty = remote.judge([RIGHT, WRONG, EMPTY]).result()
    assert [RIGHT.code[: step.end].splitlines()[-1] for step in right.steps] == ["def f(x):", "    return x + 1"]
    assert all(0 < step.score < 1 for step in right.steps)
    assert (right.verdict, wrong.verdict) == (Verdict.ACCEPTED, Verdict.WRONG_ANSWER)
    assert empty.steps == ()  # a program of comments has no step to score: its own fault, so a judgement
    assert empty.verdict is not None


def test_only_what_the_kind_needs_is_asked(scorer_url: str, serve: Serve) -> None:
    with RemoteRewards("process", scorer_url=scorer_url, executor_url="http://127.0.0.1:9") as remote:
        (judgement,) = remote.judge([RIGHT]).result()
    assert judgement.verdict is None
    with RemoteRewards("outcome", scorer_url="http://127.0.0.1:9", executor_url=serve(executor_app())) as remote:
        (judgement,) = remote.judge([RIGHT]).result()
    assert judgement.steps is None


def test_a_program_that_the_scorer_refuses_costs_no_other_its_reward(scorer_url: str) -> None:
    too_long = Program(PROBLEM, "x = 1\n" * 100)
    with RemoteRewards("process", scorer_url=scorer_url) as remote:
        judgements = remote.judge([WRONG, too_long, RIGHT, *[WRONG] * 20]).result()
    assert [place for place, judgement in enumerate(judgements) if judgement is None] == [1]


def test_a_long_prompt_is_cut_so_that_the_code_is_scored_whole(scorer_url: str) -> None:
    wordy = PROBLEM.model_copy(update={"prompt": "Add one. " * 50})
    with RemoteRewards("process", scorer_url=scorer_url) as remote:
        (judgement,) = remote.judge([Program(wordy, WRONG.code)]).result()
    assert len(judgement.steps) == 2


def test_nobody_there_is_no_reward_and_no_exception(free_port: int) -> None:
    with RemoteRewards("process", scorer_url=f"http://127.0.0.1:{free_port}", timeout_s=0.3) as remote:
        assert remote.judge([RIGHT, WRONG]).result() == [None, None]


@pytest.mark.parametrize("status", [500, 503])
def test_a_service_that_fails_gives_no_reward(status: int, serve: Serve) -> None:
    app = FastAPI()
    app.add_api_route("/execute/batch", lambda: Response(status_code=status), methods=["POST"])
    with RemoteRewards("outcome", executor_url=serve(app), timeout_s=0.5) as remote:
        assert remote.judge([RIGHT]).result() == [None]


def test_an_internal_error_is_no_verdict(serve: Serve) -> None:
    app = FastAPI()
    failed = {"verdict": "internal_error", "passed": 0, "total": 1, "wall_s": 0, "isolation": "none", "tests": []}
    app.add_api_route("/execute/batch", lambda: {"results": [failed]}, methods=["POST"])
    with RemoteRewards("outcome", executor_url=serve(app)) as remote:
        assert remote.judge([RIGHT]).result() == [None]


def test_an_unknown_model_raises(scorer_url: str) -> None:
    with RemoteRewards("process", scorer_url=scorer_url, model="nobody") as remote, pytest.raises(RequestError):
        remote.judge([RIGHT]).result()


def test_judging_runs_in_the_background(serve: Serve) -> None:
    slow = Program(PROBLEM, "import time\ntime.sleep(0.5)\ndef f(x):\n    return x + 1\n")
    with RemoteRewards("outcome", executor_url=serve(executor_app())) as remote:
        started = time.monotonic()
        future = remote.judge([slow])
        asked_s = time.monotonic() - started
        assert future.result()[0].verdict is Verdict.ACCEPTED
        assert asked_s < 0.25 < 0.5 <= time.monotonic() - started


def test_the_share_of_tests_that_pass_comes_where_every_test_is_run(serve: Serve) -> None:
    tests = [CallTest(function="f", args=[at], expected=expected) for at, expected in [(1, 0), (1, 2), (2, 3), (3, 0)]]
    problem = PROBLEM.model_copy(update={"tests": tests})
    with RemoteRewards("outcome", executor_url=serve(executor_app()), every_test=True) as remote:
        right, broken = remote.judge([Program(problem, RIGHT.code), Program(problem, "def f(x:")]).result()
    assert (right.verdict, right.passed) == (Verdict.WRONG_ANSWER, 0.5)
    assert (broken.verdict, broken.passed) == (Verdict.COMPILE_ERROR, 0.0)
