"""The commonest test is told at a glance, and comes to what the splitter makes of it the long way."""

import json
from importlib.resources import files

import pytest

from services.executor import splitter
from services.executor.conditions import Source
from services.executor.folding import fold
from services.executor.parsing import parse_statements
from services.executor.plain import split_plain
from services.executor.plans import Plan

MBPP = [
    test
    for line in (files("trainer.problems") / "data" / "mbpp.jsonl").read_text("utf-8").splitlines()
    for test in json.loads(line)["test_list"]
]
ANSWERS = [None, True, False, 0, 1, 2, 3.5, "", "a", [], [1], (1,), {1}, {"a": 1}]


def at_a_glance(code: str) -> Plan | None:
    return split_plain(parse_statements(code), Source(code))


def the_long_way(code: str) -> Plan:
    return splitter._split_statements(parse_statements(code), [], Source(code))


def outcomes(plan: Plan, answers: list[object]) -> list[bool]:
    [check] = plan.checks
    return [bool(check.holds([answer])) for answer in answers]


def test_what_mbpp_asks_is_judged_the_same() -> None:
    told = 0
    for code in MBPP:
        if plan := at_a_glance(code):
            told += 1
            long = the_long_way(code)
            assert (plan.steps, plan.assurance, plan.values) == (long.steps, long.assurance, long.values), code
            right = parse_statements(code)[0].test.comparators[0]  # type: ignore[attr-defined]
            answers = [*ANSWERS, fold(right)]
            assert outcomes(plan, answers) == outcomes(long, answers), code
    assert told > 0.95 * len(MBPP)


@pytest.mark.parametrize(
    "code",
    [
        "assert f(1) == None",
        "assert f((1, 2), 'a') == {'a': [1]}",
        "assert f(-1) == 2 ** 3",
        "assert f(\n    [1,\n     2]) == 3",
        "assert f('é') == 'é'",
    ],
)
def test_other_plain_ones_too(code: str) -> None:
    plan = at_a_glance(code)
    assert plan is not None
    long = the_long_way(code)
    assert (plan.steps, plan.assurance) == (long.steps, long.assurance)
    assert outcomes(plan, ANSWERS) == outcomes(long, ANSWERS)


@pytest.mark.parametrize(
    "code",
    [
        "assert f(1) != 2",
        "assert 2 == f(1)",
        "assert f(x) == 2",
        "assert f(1) == g(2)",
        "assert f(1) == 2 == 3",
        "assert f(k=1) == 2",
        "assert f(*[1]) == 2",
        "assert sorted([2, 1]) == [1, 2]",
        "assert approx(1) == 1",
        "assert eval('1') == 1",
        "assert f(1).x == 1",
        "assert m.f(1) == 1",
        "assert f((lambda: 1)) == 1",
        "assert f([y for y in [1]]) == 1",
        "assert f((z := 1)) == 1",
        "assert f(1) == 1, 'said'\nassert f(2) == 2",
        "x = f(1)",
        "",
    ],
)
def test_others_are_left_to_the_splitter(code: str) -> None:
    assert at_a_glance(code) is None
