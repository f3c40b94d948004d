"""From a PRM's scores to the chance that a program passes."""

import random
from pathlib import Path

import pytest

from trainer.success_chance import SuccessChance


def programs(count: int = 3000) -> list[tuple[list[float], bool]]:
    """Programs of two steps that pass as often as their smallest score says."""
    rng = random.Random(0)
    scores = [[rng.random(), rng.random()] for _ in range(count)]
    return [(each, rng.random() < min(each)) for each in scores]


def test_chances_are_calibrated_and_fall_with_the_smallest_score() -> None:
    known = programs()
    chance = SuccessChance.fit(known)
    low, high = chance.of([0.9, 0.1]), chance.of([0.9, 0.9])
    assert low[0] == high[0]
    assert low[1] < high[0] < high[1]
    last = [chance.of(scores)[-1] for scores, _ in known]
    assert sum(last) / len(last) == pytest.approx(sum(passed for _, passed in known) / len(known), abs=0.01)
    assert all(abs(chance.of([1.0, score])[-1] - score) < 0.2 for score in (0.2, 0.5, 0.8))


def test_a_saved_chance_says_the_same(tmp_path: Path) -> None:
    chance = SuccessChance.fit([*programs(60), ([], False)])
    chance.save(tmp_path / "chance.json")
    assert SuccessChance.load(tmp_path / "chance.json") == chance
    assert chance.of([]) == []
    assert 0 < chance.of([0.0])[0] < 1


def test_where_all_fail_the_chance_is_small_and_the_same_everywhere() -> None:
    chance = SuccessChance.fit([([0.5, 0.9], False)] * 8)
    assert chance.of([0.1, 0.9]) == pytest.approx([0.1, 0.1])
