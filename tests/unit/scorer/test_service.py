"""From requests to replies, over a real batcher; passes are counted."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from services.contracts import ScoreRequest
from services.kit.errors import BadRequestError
from services.scorer.admission import Admission
from services.scorer.batcher import Batcher
from services.scorer.metrics import ScorerMetrics
from services.scorer.models import Models
from services.scorer.prefix_cache import PrefixCache
from services.scorer.reuse import PrefixReuse
from services.scorer.service import ScoringService
from services.scorer.settings import ModelSource

BUDGET = 200
LINES = [f"line{number} = {'x' * number}" for number in range(1, 9)]


@pytest.fixture
def service(tmp_path: Path, prm: Any, another_prm: Callable[[], Any], metrics: ScorerMetrics) -> Iterator[Any]:
    """Two models, `one` and `two`; single calls wait 0.2 s for company."""
    prms = [prm, another_prm()]
    prms[1].gate.set()
    for one in prms:
        one.pass_tokens = BUDGET
    loads = iter(prms)
    models = Models([ModelSource("one", tmp_path), ModelSource("two", tmp_path)], lambda _: next(loads))
    batcher = Batcher(max_wait_s=0.2, metrics=metrics)
    reuse = PrefixReuse(batcher, PrefixCache(1000, metrics), metrics)
    service = ScoringService(models, batcher, reuse, Admission(1000, metrics), metrics)
    service.start()
    yield service
    service.close()


def program(lines: int, prompt: str = "p", model: str | None = None) -> ScoreRequest:
    return ScoreRequest(prompt=prompt, code="\n".join(LINES[:lines]), model=model)


async def test_every_beginning_of_a_program_in_one_batch_costs_one_pass(service: Any, prm: Any) -> None:
    replies = await service.score([program(lines) for lines in range(1, 9)])
    assert [len(reply.steps) for reply in replies] == list(range(1, 9))
    whole = [step.score for step in replies[-1].steps]
    assert all([step.score for step in reply.steps] == whole[: len(reply.steps)] for reply in replies)
    assert prm.passes == [[replies[-1].tokens]]


async def test_many_single_calls_share_few_passes_within_the_budget_and_the_padding(service: Any, prm: Any) -> None:
    requests = [program(1 + number % 4, prompt=f"prompt {number:02}") for number in range(64)]
    replies = await asyncio.gather(*(service.score([request]) for request in requests))
    assert [len(reply.steps) for (reply,) in replies] == [len(request.code.splitlines()) for request in requests]
    tokens = sum(reply.tokens for (reply,) in replies)
    assert sum(map(sum, prm.passes)) == tokens
    assert len(prm.passes) < 64 / 3
    for lengths in prm.passes:
        padded = max(lengths) * len(lengths)
        assert padded <= BUDGET or len(lengths) == 1
        assert padded - sum(lengths) <= 0.1 * padded


async def test_requests_for_several_models_are_answered_in_order(service: Any) -> None:
    names = ["two", "one", None, "two"]
    replies = await service.score([program(3, model=name) for name in names])
    assert [reply.model for reply in replies] == ["two", "one", "one", "two"]


async def test_a_caller_that_leaves_is_never_scored(service: Any, another_prm: Callable[[], Any], prm: Any) -> None:
    prm.gate.clear()
    first = asyncio.create_task(service.score([program(1)]))
    assert await asyncio.to_thread(prm.entered.wait, 10)
    leaving = asyncio.create_task(service.score([program(2, prompt="left")]))
    staying = asyncio.create_task(service.score([program(2, prompt="stayed on")]))
    await asyncio.sleep(0.1)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    prm.gate.set()
    (one,), (other,) = await asyncio.gather(first, staying)
    assert prm.passes == [[one.tokens], [other.tokens]]


async def test_a_batch_is_scored_from_its_beginning_while_its_end_is_encoded(
    service: Any, prm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shortest program can't be encoded before a pass over a longer one has begun."""
    tokenize = type(prm).tokenize

    def tokenize_late(self: Any, texts: Sequence[str]) -> Any:
        assert texts[0] != "last\n" or prm.entered.wait(10)
        return tokenize(self, texts)

    monkeypatch.setattr(type(prm), "tokenize", tokenize_late)
    longer = [program(1, prompt=f"{number}" * 900) for number in range(5)]
    replies = await service.score([program(1, prompt="last"), *longer])
    assert [reply.tokens for reply in replies] == sorted(reply.tokens for reply in replies)
    assert len(prm.passes) > 1


async def test_a_batch_whose_end_cannot_be_encoded_leaves_nothing_behind(service: Any, prm: Any) -> None:
    prm.gate.clear()
    longer = [program(1, prompt=f"{number}" * 900) for number in range(8)]
    with pytest.raises(BadRequestError) as refusal:
        await service.score([*longer, program(1, prompt="\ud800")])
    assert refusal.value.details == {"item": 8}
    prm.gate.set()
    again = await service.score(longer)
    assert len(again) == 8
    assert sum(map(len, prm.passes)) <= 8 + 1
