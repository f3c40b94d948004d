"""MBPP+ as problems: which tasks there are, and what each kind of test accepts."""

from typing import Any

import pytest

from services.contracts import AssertTest, CallTest
from trainer.problems import UnknownSpecError, load_problems
from trainer.problems.mbpp_plus import _problem

ROW: dict[str, Any] = {
    "task_id": 2,
    "entry_point": "f",
    "prompt": "Do it.",
    "code": "def f(x):\n    return x",
    "test_imports": ["import math"],
    "test_list": ["assert f(1) == 1"],
    "oracle": "eq",
    "atol": 0,
    "n_base": 1,
    "inputs": ["[1]", "[0]"],
}


def passes(result: str, **changes: Any) -> bool:
    """Whether the one input behind the base accepts a function that returns `result`."""
    row = {"expected": ["1", "0"], **ROW, **changes}
    test = _problem(row).tests[1]
    assert isinstance(test, AssertTest)
    names: dict[str, Any] = {}
    exec(f"def f(x):\n    return {result}\n", names)
    try:
        exec(test.code, names)
    except AssertionError:
        return False
    return True


def test_mbpp_plus_has_378_tasks_and_a_hundred_tests_for_most() -> None:
    problems = load_problems("mbpp-plus")
    assert len(problems) == 378
    assert sum(len(problem.tests) for problem in problems) == 40715
    assert all(len(problem.tests) >= 3 for problem in problems)


def test_of_a_range_those_come_that_mbpp_plus_has() -> None:
    problems = load_problems("mbpp-plus:1-100,501-600")
    assert len(problems) == 54 + 39
    assert [problem.id for problem in problems[:3]] == ["Mbpp/2", "Mbpp/3", "Mbpp/4"]


@pytest.mark.parametrize("spec", ["mbpp-plus:1", "mbpp-plus:975", "mbpp-plus?shown=1"])
def test_a_wrong_spec_is_refused(spec: str) -> None:
    with pytest.raises(UnknownSpecError):
        load_problems(spec)


def test_the_prompt_tells_the_functions_name_by_its_first_assert() -> None:
    problem = _problem({"expected": ["1", "0"], **ROW})
    assert problem.prompt == "Do it.\nassert f(1) == 1"
    assert problem.setup == "import math"
    assert problem.tests[1] == CallTest(function="f", args_literal="[0]", expected_literal="0")


@pytest.mark.parametrize(
    ("result", "accepted"), [("1.00000001", True), ("1.0001", False), ("[1.0]", False), ("None", False)]
)
def test_a_float_may_be_off_by_a_ten_millionth(result: str, accepted: bool) -> None:
    assert passes(result, expected=["1", "1.0"]) is accepted


def test_a_task_may_allow_more() -> None:
    assert passes("1.00005", expected=["1", "1.0"], atol=0.0001)
    assert passes("[1.0, 2.00005]", expected=["1", "[1.0, 2.0]"], atol=0.0001)
    assert not passes("[1.0]", expected=["1", "[1.0, 2.0]"], atol=0.0001)


def test_sets_are_compared_where_any_order_is_right() -> None:
    assert passes("(2, 1)", expected=["1", "(1, 2)"], oracle="set_eq")
    assert not passes("(2, 3)", expected=["1", "(1, 2)"], oracle="set_eq")


def test_any_match_will_do_where_only_its_being_there_counts() -> None:
    assert passes("'found'", expected=["1", "True"], oracle="not_none")
    assert not passes("'found'", expected=["1", "False"], oracle="not_none")
    assert passes("None", expected=["1", "False"], oracle="not_none")


def test_a_second_answer_is_accepted_where_there_is_one() -> None:
    assert passes("7", expected=["1", "5"], alt_expected=["1", "7"])
    assert not passes("6", expected=["1", "5"], alt_expected=["1", "7"])
