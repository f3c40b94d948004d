"""What the child is told of a test, and what stays with the judge."""

import pytest

from services.contracts import Assurance
from services.executor.splitter import split_assert

SPLIT = [
    ("assert f(1) == 2", ["f(1)"], [2], [3]),
    ("assert 2 == f(1)", ["f(1)"], [2], [3]),
    ("assert f(1) != 2", ["f(1)"], [3], [2]),
    ("assert f(1) is None", ["f(1)"], [None], [0]),
    ("assert f(1) is not None", ["f(1)"], [0], [None]),
    ("assert f(1) in (2, 3)", ["f(1)"], [3], [4]),
    ("assert 3 in f(1)", ["f(1)"], [[3]], [[4]]),
    ("assert 1 < f(1) <= 3", ["f(1)"], [3], [4]),
    ("assert f(1), 'why'", ["f(1)"], [True], [False]),
    ("assert not f(1)", ["f(1)"], [False], [True]),
    ("assert not f(1) == 2", ["f(1)"], [3], [2]),
    ("assert f(1) == 1 and g(2) == 2", ["f(1)", "g(2)"], [1, 2], [1, 3]),
    ("assert sorted(f(1)) == [1, 2]", ["sorted(f(1))"], [[1, 2]], [[2, 1]]),
    ("assert set(f(1)) == set([1, 2])", ["set(f(1))"], [{1, 2}], [{1}]),
    ("assert math.isclose(f(1), 2.0, rel_tol=0.1)", ["f(1)"], [2.1], [3.0]),
    ("assert math.isclose(2.0, f(1))", ["f(1)"], [2.0], [2.1]),
    ("assert abs(f(1) - 2.0) < 1e-6", ["f(1)"], [2.0], [2.1]),
    ("assert abs(2.0 - f(1)) < 1e-6", ["f(1)"], [2.0], [2.1]),
    ("assert round(f(1)) == 2", ["f(1)"], [2.1], [3]),
    ("assert isinstance(f(1), (int, str))", ["f(1)"], ["a"], [1.5]),
    ("assert Solution().solve([1]) == True", ["Solution().solve([1])"], [True], [False]),
    ("assert sum(10, 15) == 6", ["sum(10, 15)"], [6], [25]),
    ("assert math.isclose(sum(*[10, 15]), 6.0)", ["sum(*[10, 15])"], [6], [25]),
    ("assert round(f(1), 2) == 3.14", ["f(1)"], [3.1416], [3.2]),
    ("assert bool(f(1))", ["f(1)"], [[0]], [[]]),
    ("assert [f(1), f(2)] == [1, 2]", ["f(1)", "f(2)"], [1, 2], [1, 1]),
    ("assert (f(1), 0) == (1, 0)", ["f(1)"], [1], [2]),
    ("assert f(1) ^ {1, 2} == set()", ["f(1)"], [{1, 2}], [{1}]),
    ("assert f(1) & 1 == 0", ["f(1)"], [4], [5]),
    ("assert f(1) ** 2 == 4", ["f(1)"], [-2], [3]),
    ("assert f(1).startswith('a')", ["f(1)"], ["ab"], ["ba"]),
    ("assert f(1).startswith(b'a')", ["f(1)"], [b"ab"], [b"ba"]),
    ("assert not f(1).isdigit()", ["f(1)"], ["ab"], ["12"]),
    ("assert f(1).keys() == {'a'}", ["f(1)"], [{"a": 1}], [{"b": 1}]),
    ("assert f(1)[0] == 2", ["f(1)[0]"], [2], [3]),
    ("assert f(1)[0] is None", ["f(1)[0]"], [None], [0]),
    ("assert f(1).lower() == 'a'", ["f(1)"], ["A"], ["B"]),
    ("assert ''.join(f(1)) == 'ab'", ["''.join(f(1))"], ["ab"], ["a"]),
    ("assert sorted(f(1), key=lambda x: x[1], reverse=True) == [(1, 2)]", None, [[(1, 2)]], [[]]),
    ("assert [f(x) for x in [1, 2]] == [True, False]", ["[f(x) for x in [1, 2]]"], [[True, False]], [[True, True]]),
    ("assert [list(x) for x in f(1)] == [[1]]", ["[list(x) for x in f(1)]"], [[[1]]], [[[2]]]),
    ("assert decode(encode('ab')) == 'ab'", ["decode(encode('ab'))"], ["ab"], ["a"]),
    ("assert Trie().startswith('a') == True", ["Trie().startswith('a')"], [True], [False]),
    ("assert f(1) == pytest.approx(2.0)", ["f(1)"], [2.0000001], [2.1]),
    ("from pytest import approx\nassert f(1) == approx([2.0], abs=0.2)", ["f(1)"], [[2.1]], [[2.3]]),
    ("import pytest\nassert f(1) == pytest.approx({'a': 2.0}, rel=0.1)", ["f(1)"], [{"a": 2.1}], [{"b": 2.0}]),
    ("for i in range(2):\n    assert f(i) == i + 1", ["f(0)", "f(1)"], [1, 2], [1, 1]),
    ("for x, y in [(1, 2), (3, 4)]:\n    assert f(x) == y", ["f(1)", "f(3)"], [2, 4], [2, 3]),
    ("cases = [([], 2)]\nfor x, y in cases:\n    assert f(*x) == y", ["f(*[])"], [2], [3]),
    ("for x, y in zip('ab', (1, 2)):\n    r = f(x)\n    assert r == y", None, [1, 2], [2, 1]),
    ("for x, y in {1: 2}.items():\n    for z in (3,):\n        assert f(x, z) == y", ["f(1, 3)"], [2], [3]),
    ("expected = [1, 2]\nassert f(1) == expected", ["f(1)"], [[1, 2]], [[1]]),
    ("want = 2.0\nassert abs(f(1) - want) < 0.1", ["f(1)"], [2.01], [2.5]),
    ("assert all(f(x) == y for x, y in [(1, 2), (3, 4)])", ["f(1)", "f(3)"], [2, 4], [2, 5]),
    ("assert all([f(1) == 2, f(2) > 3])", ["f(1)", "f(2)"], [2, 4], [2, 3]),
    (
        "def check(candidate):\n    assert candidate(1) == 2\n    assert candidate(2)\ncheck(f)",
        ["f(1)", "f(2)"],
        [2, True],
        [2, False],
    ),
]
FOLLOWED = [
    ("r = f(1)\nassert r == 2", ["r = f(1)", "r"], [2], [3]),
    ("r = f(1)\nassert r", ["r = f(1)", "r"], [True], [False]),
    ("a, b = f(1)\nassert b == 2", ["a, b = f(1)", "b"], [2], [3]),
    ("x = [3, 1]\nf(x)\nassert x == [1, 3]", ["x = [3, 1]", "f(x)", "x"], [[1, 3]], [[3, 1]]),
    ("s = Solution()\nassert s.find('a') == 0", ["s = Solution()", "s.find('a')"], [0], [1]),
    ("c = Cache(2)\nc.put(1, 1)\nassert c.get(1) == 1", ["c = Cache(2)", "c.put(1, 1)", "c.get(1)"], [1], [-1]),
    ("r = Node(1)\nr.left = Node(2)\nassert depth(r) == 2", None, [2], [1]),
]
GUESSABLE = {
    "comparisons in the answer": [
        "assert [f(1) == 2] == [True]",
        "assert int(f(1) == 2) == 1",
        "assert str(f(1) == 2) == 'True'",
        "assert sum([f(1) == 2, f(2) == 3]) == 2",
        "assert len([x for x in [f(1)] if x == 3]) == 1",
        "assert [x > 0 for x in f(1)] == [True]",
        "assert sorted(f(1), key=lambda x: x == 2) == [2]",
        "assert f'{f(1) == 2}' == 'True'",
        "assert (f(1) == 2) + 0 == 1",
        "assert (lambda x: x == 2)(f(1)) == 1",
        "assert eval('f(1) == 2') == 1",
        "assert (1 if f(1) == 2 else 0) == 1",
        "assert f(1).__eq__(2) == 1",
    ],
    "functions that compare": [
        "assert operator.sub(f(1), 2) == 0",
        "assert operator.eq(f(1), 2)",
        "assert np.abs(f(1) - 2) < 1e-6",
        "assert max(abs(a - b) for a, b in zip(f(1), [1, 2])) < 1e-6",
        "assert re.sub('abc', '', f(1)) == ''",
        "assert agrees(f(1), 2)",
        "assert agrees([f(1), 2])",
        "assert distance(f(1), 2) == 0",
        "assert SequenceMatcher(None, f(1), 'abc').ratio() == 1.0",
        "assert min(f(1), 3) == 3",
        "assert Expected(3).matches(f(1))",
        "e = Expected(3)\nassert e.matches(f(1)) == 1",
        "e = Expected(3)\nassert e.loads(f(1)) == 1",
        "assert math.fabs(distance(f(1), 2)) < 0.1",
        "from operator import *\nassert eq(f(1), 2)",
        "from operator import eq\nassert eq(f(1), 2)",
        "def isclose(a, b):\n    return a == b\nassert isclose(f(1), 2)",
        "def agrees(x):\n    return int(x == 3)\nassert agrees(f(1)) == 1",
        "agrees = lambda x: x == 3\nassert agrees(f(1)) == 1",
    ],
    "methods and containers that hold what is expected": [
        "assert f(1).count('abc') == 1",
        "assert f(1).find('abc') == 0",
        "assert f(1).replace('abc', '') == ''",
        "assert f(1).difference([1, 2]) == set()",
        "assert f(1).equals(2)",
        "assert [1, 2].index(f(1)) == 1",
        "assert {2: 'yes'}[f(1)] == 'yes'",
        "assert {2: 'yes'}.get(f(1)) == 'yes'",
        "assert len(set(f(1)) - {1, 2}) == 0",
        "assert f(1)[f(1) == 2] == 1",
    ],
    "names that the test may have made a judgement of": [
        "r = f(1) == 2\nassert r == True",
        "ok = int(f(1) == 2)\nassert ok == 1",
        "errors = 0\nfor x, y in [(1, 2)]:\n    if f(x) != y:\n        errors += 1\nassert errors == 0",
        "errors = []\nif f(1) != 2:\n    errors.append(1)\nassert errors == []",
        "errors = []\nerrors.append(f(1) != 2)\nassert errors == [False]",
        "assert (r := f(1) == 2) or True\nassert r == 1",
        "r = f(1)\nassert r.count('abc') == 1",
        "if True:\n    r = f(1)\nassert agrees(r, 2)",
        "r = f(1)\ns = [r, 2]\nwhile False:\n    pass\nassert agrees(*s)",
        "xs = []\nxs.append(f(1))\nassert agrees(xs, [2])",
    ],
}


@pytest.mark.parametrize(("source", "leaves", "right", "wrong"), SPLIT + FOLLOWED)
def test_the_child_computes_values_and_the_judge_compares(
    source: str, leaves: list[str] | None, right: list[object], wrong: list[object]
) -> None:
    plan = split_assert(source)
    assert leaves is None or [step[1] for step in plan.steps] == leaves
    assert plan.assurance is Assurance.HIGH
    assert all(check.holds(right) for check in plan.checks)
    assert not all(check.holds(wrong) for check in plan.checks)


@pytest.mark.parametrize(
    "source",
    [
        "assert f(1) == f(2)",
        "assert f(1) - g(1) == 0",
        "assert all(x > 0 for x in f(1))",
        "assert isinstance(f(1), Point)",
        "assert f(1).startswith('a') == True",
        "assert (f(1) == 2) == True",
        "assert isinstance(f(1), int) == True",
        "assert f(1) is f(1)",
        "assert f(1) or g(1)",
        "assert allclose(f(1), [2.0])",
        "assert x",
        "for i in range(3):\n    if i:\n        assert f(i) == i",
        "for x in [[1], [2]]:\n    f(x)\n    assert x == [0]",
        "for x in [1, 2]:\n    assert f(x) == x\nelse:\n    assert f(3) == 3",
        "for x in [1, 2]:\n    assert f(x) == g(x)",
        "for x in [[1]]:\n    for y in (1, 2):\n        assert f(x) == y",
        "xs = [[1]]\nfor x in xs:\n    assert f(x) == 1\nfor x in xs:\n    assert f(x) == 2",
        "for x in [1, 2]:\n    assert f(x) == 1\nassert f(x) == x",
        "for x in {1, 2}:\n    assert f(x) == 1",
        "assert '%.2f' % f(1) == '3.14'",
        "assert isinstance(f(1), type(2))",
        "assert type(f(1)) == int",
        "assert callable(f)",
        "assert hasattr(f(1), 'x')",
        "assert any([f(1) == 2, f(2) == 3])",
        "assert f(1) == approx(g(1))",
        "f(1)",
        "x = 1",
        "not python (",
        "\x00",
    ],
)
def test_a_test_that_could_be_guessed_or_not_be_read_has_low_assurance(source: str) -> None:
    assert split_assert(source).assurance is Assurance.LOW


@pytest.mark.parametrize("source", [source for sources in GUESSABLE.values() for source in sources])
def test_what_a_program_could_guess_is_not_asked_of_it(source: str) -> None:
    plan = split_assert(source)
    assert plan.assurance is Assurance.LOW


def test_what_the_setup_defines_is_not_the_programs() -> None:
    for setup in ("def agrees(x):\n    return x == 3", "from operator import not_ as agrees", "from helpers import *"):
        assert split_assert("assert agrees(f(1))", setup).assurance is Assurance.LOW
    assert split_assert("assert f(root) == 2", "root = Node(1)").assurance is Assurance.HIGH


def test_what_the_setup_got_from_the_program_is_an_answer() -> None:
    assert split_assert("assert agrees(r, 2)", "r = f(1)").assurance is Assurance.LOW


def test_the_names_of_a_check_are_not_the_programs() -> None:
    check = "def check(candidate):\n    g = 2\n    assert candidate(g) == 3\ncheck(f)"
    plan = split_assert(check)
    assert [source for _, source in plan.steps] == ["_g_of_check = 2", "f(_g_of_check)"]


def test_what_is_expected_under_a_name_stays_with_the_judge() -> None:
    sources = [
        "expected = 271828\nassert f(1) == expected",
        "cases = [(1, 271828)]\nfor x, y in cases:\n    assert f(x) == y",
        "for i, (x, y) in enumerate(zip([1], [271828])):\n    assert f(x) == y",
        "def check(candidate):\n    for x, y in [(1, 271828)]:\n        assert candidate(x) == y\ncheck(f)",
        "assert all(f(x) == y for x, y in [(1, 271828)])",
    ]
    for source in sources:
        assert "271828" not in " ".join(text for _, text in split_assert(source).steps)


def test_a_loop_that_changes_nothing_is_not_written_out() -> None:
    assert len(split_assert("for i in range(100):\n    x = random()\n    assert f(x) == g(x)").steps) == 1


def test_expected_values_are_in_no_step() -> None:
    for source, *_ in SPLIT:
        steps = " ".join(text for _, text in split_assert(source.replace("2.0", "271828.0")).steps)
        assert "271828" not in steps


def test_a_name_that_the_test_defines_is_not_the_programs() -> None:
    source = "def agrees(x):\n    return x == 3\nassert agrees(f(1))"
    assert split_assert(source).assurance is Assurance.LOW


def test_a_loop_beside_split_asserts_lowers_the_assurance_only() -> None:
    plan = split_assert("assert f(1) == 2\nwhile g():\n    assert f(1) == 2")
    assert plan.assurance is Assurance.LOW
    assert len(plan.checks) == 1


def test_an_abyss_of_brackets_runs_inside() -> None:
    assert split_assert("assert " + "(" * 5000 + ")" * 5000).assurance is Assurance.LOW
