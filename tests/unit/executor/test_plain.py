"""The commonest test is told at a glance, and comes to what the splitter makes of it the long way."""

import json
from importlib.resources import files

import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from services.executor import splitter
from services.executor.conditions import Source
from services.executor.folding import fold
from services.executor.parsing import parse_statements
from services.executor.plain import split_literals, split_plain
from services.executor.plans import Plan

MBPP = [
    test
    for line in (files("trainer.problems") / "data" / "mbpp.jsonl").read_text("utf-8").splitlines()
    for test in json.loads(line)["test_list"]
]
LITERALS = [
    *(
        "1",
        "-1",
        "-0",
        "01",
        "1.5",
        "-0.0",
        "1.",
        ".5",
        "- 1",
        "1-2",
        "1, 2",
        "[1, 2,]",
        "[[1], []]",
        "[1][0]",
        "",
        " 7 ",
    ),
    *(
        "'a'",
        '"b c"',
        "'a' 'b'",
        "'a\"'",
        "'#'",
        "'\\n'",
        "'é'",
        "'\t'",
        "b'a'",
        "True",
        "(1, 2)",
        "{1}",
        "1e5",
        "1_0",
        "x",
    ),
    "9" * 5000,
    "9" * 400 + ".0",
    "[" * 150 + "]" * 150,
    "[" * 250 + "]" * 250,
]
ANSWERS: list[object] = [None, True, False, 0, 1, 2, 3.5, "", "a", [], [1], (1,), {1}, {"a": 1}]


def at_a_glance(code: str) -> Plan | None:
    return split_plain(parse_statements(code), Source(code))


def the_long_way(code: str) -> Plan:
    return splitter._split_statements(parse_statements(code), [], Source(code))


def outcomes(plan: Plan, answers: list[object]) -> list[bool]:
    [check] = plan.checks
    return [bool(check.holds([answer])) for answer in answers]


def is_told_as_the_long_way(plan: Plan, code: str) -> None:
    long = the_long_way(code)
    assert (plan.steps, plan.assurance, plan.values) == (long.steps, long.assurance, long.values), code
    right = parse_statements(code)[0].test.comparators[0]  # type: ignore[attr-defined]
    answers = [*ANSWERS, fold(right)]
    assert outcomes(plan, answers) == outcomes(long, answers), code


def test_what_mbpp_asks_is_judged_the_same() -> None:
    told = {split_literals: 0, at_a_glance: 0}
    for code in MBPP:
        for glance in told:
            if plan := glance(code):
                told[glance] += 1
                is_told_as_the_long_way(plan, code)
    assert told[at_a_glance] > 0.95 * len(MBPP)
    assert told[split_literals] > 0.55 * len(MBPP)


@given(some.sampled_from(["f", "_g1", "print", "not", "lambda", "match"]), *[some.sampled_from(LITERALS)] * 3)
@example("f", "1", "[2, 'a']", "3")
@example("f", "1", "2", "[" * 250 + "]" * 250)
def test_what_is_told_without_a_syntax_tree_is_told_as_with_one(name: str, first: str, second: str, right: str) -> None:
    code = f"assert {name}({first}, {second}) == {right}"
    if plan := split_literals(code):
        is_told_as_the_long_way(plan, code)


@pytest.mark.parametrize(
    "behind", ["  ", "\n", "  # a # b", "\n# a\n  # b\n\n", ", 'said'", "\n# é", "\r# a", "\n1", ".real", "; x = 1"]
)
def test_comments_and_space_behind_a_test_say_nothing(behind: str) -> None:
    code = "assert f([1, 'a']) == [2]" + behind
    plan = split_literals(code)
    assert (plan is not None) == set(behind).issubset(set(" \n#ab"))
    if plan:
        is_told_as_the_long_way(plan, code)


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
