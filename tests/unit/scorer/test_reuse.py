"""Passes are counted, never timed: a step is scored once while its score is known or under way."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from services.contracts.prm_layout import PrmInput
from services.scorer.batcher import Batcher
from services.scorer.metrics import ScorerMetrics
from services.scorer.prefix_cache import PrefixCache, prefix_keys
from services.scorer.prm import ServedModel
from services.scorer.reuse import PrefixReuse, Program

Served = Callable[..., ServedModel]


class Scorer:
    """Reuse over a real batcher; texts are scored at every `\\n`."""

    def __init__(self, entries: int) -> None:
        self.registry = CollectorRegistry()
        metrics = ScorerMetrics(self.registry)
        self.batcher = Batcher(max_wait_s=0, metrics=metrics)
        self._reuse = PrefixReuse(self.batcher, PrefixCache(entries, metrics), metrics)
        self.batcher.start()

    def score(self, model: ServedModel, text: str) -> "asyncio.Task[list[float]]":
        return asyncio.create_task(self._score(model, text))

    async def _score(self, model: ServedModel, text: str) -> list[float]:
        return (await self.score_all((model, text)))[0]

    async def score_all(self, *texts: tuple[ServedModel, str]) -> list[list[float]]:
        """A portion for each."""

        async def portions() -> AsyncIterator[list[Program]]:
            for model, text in texts:
                item = PrmInput(list(map(ord, text)), [at for at, it in enumerate(text) if it == "\n"])
                yield [Program(model, item, prefix_keys(item))]

        return await self._reuse.score(portions())

    def count(self, name: str, source: str) -> float | None:
        return self.registry.get_sample_value(f"linewise_scorer_{name}_total", {"model": "prm", "source": source})


@pytest.fixture(params=[0, 100], ids=["no cache", "cache"])
def either(request: pytest.FixtureRequest) -> Iterator[Scorer]:
    scorer = Scorer(request.param)
    yield scorer
    scorer.batcher.close()


@pytest.fixture
def scorer() -> Iterator[Scorer]:
    scorer = Scorer(100)
    yield scorer
    scorer.batcher.close()


def expected(text: str) -> list[float]:
    return [text[: at + 1].count("x") / (at + 1) for at, character in enumerate(text) if character == "\n"]


async def test_scores_are_the_same_with_and_without_a_cache(either: Scorer, prm: Any, served: Served) -> None:
    model = served(prm)
    for text in ("x\n", "x\ny\n", "x\ny\nxx\n", "x\ny\n", "x\nz\n", "y\n"):
        assert await either.score(model, text) == expected(text)


async def test_equal_inputs_at_once_share_one_pass(either: Scorer, another_prm: Any, served: Served) -> None:
    prm = another_prm()
    model = served(prm)
    calls = [either.score(model, "x\ny\n") for _ in range(50)]
    await asyncio.sleep(0)
    prm.gate.set()
    assert await asyncio.gather(*calls) == [expected("x\ny\n")] * 50
    assert prm.passes == [[4]]
    assert (either.count("programs", "scored"), either.count("programs", "joined")) == (1, 49)


async def test_a_beginning_joins_the_pass_of_the_whole(either: Scorer, another_prm: Any, served: Served) -> None:
    prm = another_prm()
    model = served(prm)
    whole, beginning = either.score(model, "x\ny\nxx\n"), either.score(model, "x\ny\n")
    await asyncio.sleep(0)
    prm.gate.set()
    assert (await whole, await beginning) == (expected("x\ny\nxx\n"), expected("x\ny\n"))
    assert prm.passes == [[7]]


async def test_steps_of_several_passes_are_gathered(either: Scorer, another_prm: Any, served: Served) -> None:
    prm = another_prm()
    model = served(prm)
    first, second = either.score(model, "x\n"), either.score(model, "x\ny\n")
    both = either.score(model, "x\ny\n")
    await asyncio.sleep(0)
    prm.gate.set()
    assert await both == await second == expected("x\ny\n")
    assert await first == expected("x\n")
    assert sum(map(len, prm.passes)) == 2


async def test_what_a_batch_has_found_is_known_while_the_rest_of_it_is_scored(
    scorer: Scorer, another_prm: Any, served: Served
) -> None:
    prm, other = another_prm(), another_prm()
    prm.gate.set()
    one, two = served(prm), served(other, "two")
    batch = asyncio.create_task(scorer.score_all((one, "x\n"), (two, "y\n")))
    assert await asyncio.to_thread(other.entered.wait, 10)
    assert await scorer.score(one, "x\n") == expected("x\n")
    other.gate.set()
    assert await batch == [expected("x\n"), expected("y\n")]


async def test_a_batch_does_not_wait_for_its_other_passes_when_one_has_failed(
    either: Scorer, another_prm: Any, served: Served
) -> None:
    prm, other = another_prm(), another_prm()
    prm.error = RuntimeError("out of memory")
    prm.gate.set()
    one, two = served(prm), served(other, "two")
    with pytest.raises(RuntimeError, match="out of memory"):
        await either.score_all((one, "x\n"), (two, "y\n"))
    other.gate.set()


async def test_what_is_known_costs_no_pass(scorer: Scorer, prm: Any, served: Served) -> None:
    model = served(prm)
    await scorer.score(model, "x\ny\nxx\n")
    for text in ("x\ny\nxx\n", "x\ny\n", "x\n"):
        assert await scorer.score(model, text) == expected(text)
    assert prm.passes == [[7]]
    assert (scorer.count("programs", "cached"), scorer.count("steps", "cached")) == (3, 6)


async def test_a_growing_program_is_read_at_its_new_steps_alone(scorer: Scorer, prm: Any, served: Served) -> None:
    model = served(prm)
    for text in ("x\n", "x\ny\n", "x\ny\nxx\n"):
        assert await scorer.score(model, text) == expected(text)
    assert (scorer.count("steps", "scored"), scorer.count("steps", "cached")) == (3, 3)
    assert scorer.registry.get_sample_value("linewise_scorer_scores_count", {"model": "prm"}) == 3


async def test_a_pass_goes_as_far_as_the_last_unknown_step(either: Scorer, prm: Any, served: Served) -> None:
    assert await either.score(served(prm), "x\ny\n# a comment") == expected("x\ny\n")
    assert prm.passes == [[4]]


async def test_two_loads_of_a_model_share_nothing(scorer: Scorer, prm: Any, served: Served) -> None:
    for _ in range(2):
        await scorer.score(served(prm), "x\n")
    assert prm.passes == [[2], [2]]


async def test_a_caller_that_leaves_takes_nothing_from_the_others(
    either: Scorer, another_prm: Any, served: Served
) -> None:
    prm = another_prm()
    model = served(prm)
    first, second = either.score(model, "x\n"), either.score(model, "x\n")
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    prm.gate.set()
    assert await second == expected("x\n")
    assert prm.passes == [[2]]


async def test_a_pass_that_all_have_left_is_never_made(either: Scorer, another_prm: Any, served: Served) -> None:
    prm = another_prm()
    model = served(prm)
    running = either.score(model, "xx\n")
    assert await asyncio.to_thread(prm.entered.wait, 10)
    leaving = [either.score(model, "x\n") for _ in range(2)]
    await asyncio.sleep(0)
    for call in leaving:
        call.cancel()
    await asyncio.gather(*leaving, return_exceptions=True)
    prm.gate.set()
    assert await running == expected("xx\n")
    assert await either.score(model, "x\n") == expected("x\n")
    assert prm.passes == [[3], [2]]


async def test_a_running_pass_that_all_have_left_is_remembered(
    scorer: Scorer, another_prm: Any, served: Served
) -> None:
    prm = another_prm()
    model = served(prm)
    left = scorer.score(model, "x\n")
    assert await asyncio.to_thread(prm.entered.wait, 10)
    left.cancel()
    await asyncio.gather(left, return_exceptions=True)
    late = scorer.score(model, "x\n")
    await asyncio.sleep(0)
    prm.gate.set()
    assert await late == expected("x\n")
    assert prm.passes == [[2]]


async def test_a_failed_pass_fails_all_who_wait_for_it_and_is_not_remembered(
    either: Scorer, another_prm: Any, served: Served
) -> None:
    prm = another_prm()
    prm.error = RuntimeError("out of memory")
    model = served(prm)
    calls = [either.score(model, "x\n") for _ in range(3)]
    await asyncio.sleep(0)
    prm.gate.set()
    failures = await asyncio.gather(*calls, return_exceptions=True)
    assert [str(failure) for failure in failures] == ["out of memory"] * 3
    prm.error = None
    assert await either.score(model, "x\n") == expected("x\n")
