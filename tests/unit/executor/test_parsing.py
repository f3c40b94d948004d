"""Tests are parsed in many threads at once, and none of them disturbs another."""

import gc
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from services.executor.parsing import PARSE_ERRORS, parse_literal, parse_statements


@pytest.fixture
def collections_that_yield() -> Iterator[None]:
    """The garbage collector runs often, and lets other threads run in the middle of a tree's construction."""

    def yield_to_others(phase: str, info: dict[str, int]) -> None:
        time.sleep(0)

    thresholds = gc.get_threshold()
    gc.set_threshold(20)
    gc.callbacks.append(yield_to_others)
    yield
    gc.callbacks.remove(yield_to_others)
    gc.set_threshold(*thresholds)


@pytest.mark.usefixtures("collections_that_yield")
def test_threads_may_parse_at_the_same_time() -> None:
    sources = [f"assert f({'[' * depth}{']' * depth}) == {list(range(9))}" for depth in range(20, 50)]
    with ThreadPoolExecutor(4) as threads:
        parsed = list(threads.map(parse_statements, sources))
    assert [len(statements) for statements in parsed] == [1] * len(sources)


def test_a_literal_is_a_value_and_nothing_is_called() -> None:
    assert parse_literal(" {(1, 2): {3}} ") == {(1, 2): {3}}
    for source in ("open('x')", "f", "1 +", "(" * 5000, "\x00"):
        with pytest.raises((TypeError, *PARSE_ERRORS)):
            parse_literal(source)
