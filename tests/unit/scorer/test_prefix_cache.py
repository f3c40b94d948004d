import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from services.contracts.prm_layout import PrmInput
from services.scorer.metrics import ScorerMetrics
from services.scorer.prefix_cache import PrefixCache, prefix_keys
from services.scorer.prm import ServedModel

IDS = st.lists(st.integers(0, 300), min_size=1, max_size=12)


@given(IDS, IDS)
def test_two_inputs_share_a_key_exactly_where_they_are_equal_up_to_it(one: list[int], other: list[int]) -> None:
    ours, theirs = (prefix_keys(PrmInput(ids, list(range(len(ids))))) for ids in (one, other))
    for end in range(min(len(one), len(other))):
        assert (ours[end] == theirs[end]) == (one[: end + 1] == other[: end + 1])
    assert not set(ours[len(other) :]) & set(theirs)


def test_a_key_does_not_depend_on_the_steps_before_it() -> None:
    ids = [7, 8, 9, 10]
    assert prefix_keys(PrmInput(ids, [0, 1, 3]))[-1] == prefix_keys(PrmInput(ids, [3]))[0]


def test_ids_that_look_alike_in_bytes_are_told_apart() -> None:
    assert prefix_keys(PrmInput([1, 256], [1])) != prefix_keys(PrmInput([256, 1], [1]))
    assert prefix_keys(PrmInput([0], [0])) != prefix_keys(PrmInput([0, 0], [1]))


@pytest.fixture
def model(prm: Any, served: Callable[..., ServedModel]) -> ServedModel:
    return served(prm)


def test_what_is_put_is_found_and_the_rest_is_not(model: ServedModel, metrics: ScorerMetrics) -> None:
    cache = PrefixCache(10, metrics)
    cache.put(model, {b"a": 0.1, b"b": 0.2})
    assert cache.get(model, [b"b", b"c", b"a"]) == [0.2, None, 0.1]


def test_above_the_limit_the_longest_unused_is_forgotten(model: ServedModel, metrics: ScorerMetrics) -> None:
    cache = PrefixCache(2, metrics)
    cache.put(model, {b"a": 0.1, b"b": 0.2})
    cache.get(model, [b"a"])
    cache.put(model, {b"c": 0.3})
    assert cache.get(model, [b"a", b"b", b"c"]) == [0.1, None, 0.3]


def test_no_entries_remember_nothing(model: ServedModel, metrics: ScorerMetrics) -> None:
    cache = PrefixCache(0, metrics)
    cache.put(model, {b"a": 0.1})
    assert cache.get(model, [b"a"]) == [None]


def test_each_loaded_model_has_its_own_scores_and_takes_them_with_it(
    another_prm: Callable[[], Any], served: Callable[..., ServedModel]
) -> None:
    registry = CollectorRegistry()
    cache = PrefixCache(10, ScorerMetrics(registry))
    old, new = served(another_prm()), served(another_prm())
    cache.put(old, {b"a": 0.1})
    assert registry.get_sample_value("linewise_scorer_cache_entries", {"model": "prm"}) == 1
    assert cache.get(new, [b"a"]) == [None]
    assert registry.get_sample_value("linewise_scorer_cache_entries", {"model": "prm"}) == 0
    gone = weakref.ref(old)
    del old
    gc.collect()
    assert gone() is None
