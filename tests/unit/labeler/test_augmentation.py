"""New tests: the calls that are found, the domain they imply, and the values that stay in it."""

import random

import pytest

from services.contracts import AssertTest, CallTest, ExecuteReply, Problem, TestResult
from services.labeler.augmentation.calls import literal_calls
from services.labeler.augmentation.domain import Domain, linked_lengths
from services.labeler.augmentation.inputs import new_expressions
from services.labeler.augmentation.oracle import answers, questions
from services.labeler.augmentation.values import mutate

CODE = "def f(*args, **more): return args\n"


def problem(*tests):
    return Problem(id="p", prompt="", solution=CODE, tests=list(tests))


@pytest.mark.parametrize(
    ("test", "expression"),
    [
        ("assert f(1, [2, 'x']) == 3", "f(1, [2, 'x'])"),
        ("assert 3 == f(-1.5)", "f(-1.5)"),
        ("assert f(1, key=(2,)) is True", "f(1, key=(2,))"),
        ("assert set(f({'a': 1})) == {1}", "set(f({'a': 1}))"),
        ("assert round(f(2), 3) == 1.0", "round(f(2), 3)"),
        ("assert not f('{}')", "f('{}')"),
        ("assert math.isclose(f(2), 1.0)", "f(2)"),
        (CallTest(function="f", args=[1, None], kwargs={"a": True}, expected=1), "f(1, None, a=True)"),
        (CallTest(function="f", args_literal="[(1, 2), {3}]", expected=1), "f((1, 2), {3})"),
    ],
)
def test_a_call_with_literal_arguments_is_found_and_can_be_written_again(test, expression):
    [call] = literal_calls(problem(test), CODE)
    assert call.expression(call.values) == expression


@pytest.mark.parametrize(
    "test",
    ["assert f(x) == 3", "assert g(1) == 3", "assert f(*[1]) == 3", "check(f)", "assert f(", "assert f(**{'a': 1})"],
)
def test_other_tests_give_no_call(test):
    assert literal_calls(problem(test), CODE) == []


def test_a_domain_is_what_all_examples_share():
    domain = Domain.of([[1, 5], [2, 9, 11]])
    assert (domain.lowest, domain.highest, domain.shortest, domain.longest, domain.sorted) == (1, 22, 1, 8, True)
    assert Domain.of([0, 3]).lowest == 0
    assert Domain.of([-3, 3]).lowest == -6
    assert Domain.of(["ab", ""]).shortest == 0
    assert Domain.of(["ba", "c"]).alphabet == "abc"
    assert not Domain.of([[2, 1]]).sorted


@pytest.mark.parametrize(
    "examples",
    [
        [1, 7],
        [0],
        [-4, 2],
        [1.5, 2.0],
        [True],
        ["ab", "c"],
        [[1, 2, 3], [4]],
        [[3, 1], []],
        [(1, "x")],
        [[[1, 2], [3, 4]]],
        [{"a": 1}],
        [{1, 2}],
        [None],
        [[(1, 2), (3, 4)]],
    ],
    ids=repr,
)
def test_mutated_values_keep_type_sign_alphabet_shape_and_order(examples):
    domain = Domain.of(examples)
    chance = random.Random(0)
    values = [mutate(chance.choice(examples), domain, chance) for _ in range(300)]
    for value in values:
        assert type(value) in {type(example) for example in examples}
        assert all(number >= domain.lowest for number in numbers(value))
        assert set(Domain.of([value]).alphabet) <= set(domain.alphabet)
        if hasattr(value, "__len__"):
            assert domain.shortest <= len(value) <= domain.longest
    if examples not in ([None], [[3, 1], []]):
        assert any(value not in examples for value in values)
    if isinstance(examples[0], list) and isinstance(examples[0][0], list):
        assert all(len(row) == 2 for value in values for row in value)


def numbers(value):
    if isinstance(value, int | float):
        return [value]
    items = value.values() if isinstance(value, dict) else value
    return [number for item in items or () if item != value for number in numbers(item)]


def test_an_argument_that_counts_another_goes_on_counting_it():
    assert linked_lengths([([1, 2], 2, 7), ([5], 1, 7)]) == {1: 0}
    calls = literal_calls(problem("assert f([1, 2], 2) == 0", "assert f([3], 1) == 0"), CODE)
    found = new_expressions(calls, 15, random.Random(0))
    assert len(found) == 15
    for expression in found:
        items, count = eval(expression.removeprefix("f"))
        assert len(items) == count


def test_new_expressions_are_new_different_and_decided_by_the_seed():
    calls = literal_calls(problem("assert f(3) == 0", "assert f(50) == 0"), CODE)
    found = new_expressions(calls, 20, random.Random(1))
    assert len(set(found)) == 20
    assert not {"f(3)", "f(50)"} & set(found)
    assert found == new_expressions(calls, 20, random.Random(1))
    assert new_expressions([], 20, random.Random(1)) == []


def test_values_that_a_literal_can_hold_become_tests_and_others_do_not(capsys):
    code = (
        "def f(x):\n"
        "    print('noise')\n"
        "    return {1: (1, 'a\\nb'), 2: float('nan'), 3: object(), 4: {2, 1}, 5: 'x' * 2000}[x]\n"
    )
    case = problem("assert True")
    expressions = ["f(1)", "f(2)", "f(3)", "f(4)", "f(5)", "f(6)", "nonsense(", "f(1)[0]"]
    [request] = questions(case, code, expressions, 0.25)
    exec(compile(request.code, "<asked>", "exec"), {"__name__": "__main__"})
    printed = TestResult(verdict="wrong_answer", assurance="high", stdout=capsys.readouterr().out)
    reply = ExecuteReply(verdict="wrong_answer", passed=0, total=1, wall_s=0, isolation="", tests=[printed])
    assert answers(case, expressions, [reply]) == [
        AssertTest(code="assert f(1) == (1, 'a\\nb')"),
        AssertTest(code="assert f(4) == {1, 2}"),
        AssertTest(code="assert f(1)[0] == 1"),
    ]
    assert answers(case, expressions, [None]) == []
