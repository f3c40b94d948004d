"""A split test says of an honest program what running the test beside it would have said.

In one process: the steps of a child are taken here, values pass through their encoding, the judge compares.
"""

import copy
import json
import math
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.contracts import Assurance, Verdict
from services.executor.judge import judge_plan
from services.executor.sandbox import Failure, Report, Step, Usage
from services.executor.splitter import split_assert
from services.executor.values import encode

steady = settings(derandomize=True, database=None, deadline=None, max_examples=1500)
USAGE = Usage(wall_s=0.0, cpu_s=0.0, memory_bytes=0, stdout="", stderr="", truncated=False)

numbers = st.sampled_from([-2, -1, 0, 1, 2, 3, 0.5, 2.0, 2.04, 1e-9, True, False, 10**20, -0.0])
words = st.sampled_from(["", "a", "ab", "AB", "12", "é", "[1]", "1", "None"])
plain = numbers | words | st.none()
groups = (
    st.lists(plain, max_size=3)
    | st.lists(numbers, max_size=3)
    | st.lists(words, max_size=3)
    | st.tuples(plain, plain)
    | st.sets(plain, max_size=3)
    | st.dictionaries(plain, plain, max_size=3)
    | st.lists(st.tuples(numbers, words), max_size=2)
)
anything = plain | groups

FORMS = """
f() == W ;; W == f() ;; f() != W ;; not f() == W ;; not f() != W ;; f() is None ;; f() is not None ;; f() is True
f() == True ;; f() in [W, X] ;; f() not in (W, X) ;; W in f() ;; W not in f() ;; f() in W ;; f() < W ;; f() >= W
W > f() ;; N <= f() < M ;; W < f() <= X ;; W == f() == X ;; f() ;; not f() ;; bool(f()) ;; not bool(f())
f() == W and f() == X ;; f() and f() != W ;; f() == W or f() == X ;; sorted(f()) == W
sorted(f(), reverse=True) == W ;; sorted(f(), key=lambda x: x[0]) == W ;; set(f()) == set(W) ;; set(f()) == W
list(f()) == W ;; tuple(f()) == tuple(W) ;; len(f()) == N ;; len(f()) > N ;; sum(f()) == N ;; max(f()) == W
min(f()) <= W ;; str(f()) == W ;; str(f()) == str(W) ;; int(f()) == N ;; float(f()) == N ;; repr(f()) == repr(W)
"".join(f()) == W ;; f()[0] == W ;; f()[-1] is None ;; f()[1:] == W ;; f()[N] == W ;; [x for x in f()] == W
{x for x in f()} == W ;; [f(), N] == [W, N] ;; (f(),) == (W,) ;; [f() for i in [1, 2]] == [W, W] ;; abs(f() - N) < M
abs(N - f()) <= 0.1 ;; -f() == N ;; abs(f()) == N ;; math.fabs(f() - N) < 0.1 ;; math.isclose(f(), N)
math.isclose(N, f(), abs_tol=0.1) ;; round(f()) == N ;; round(f(), 1) == N ;; round(f() + N, 1) == M ;; f() + W == X
W + f() == X ;; f() - W == X ;; f() * N == W ;; f() / N == M ;; f() % N == M ;; f() // N == M ;; f() ** 2 == N
f() & W == X ;; f() | W == X ;; f() ^ W == X ;; isinstance(f(), int) ;; isinstance(f(), (list, str))
not isinstance(f(), dict) ;; f().startswith(S) ;; f().endswith(S) ;; f().isdigit() ;; f().lower() == S
f().upper() == W ;; f().strip() == S ;; f().keys() == W ;; W in f().keys() ;; W in f().values()
sorted(f().items()) == W ;; list(f().values()) == W ;; f().keys() & W == X ;; all(f() == x for x in [W, X])
all([f() == W, f() != X]) ;; any([f() == W]) ;; all(f()) ;; type(f()) == int ;; f().count(S) == N
f() == W if N else f() == X ;; (lambda x: x == W)(f()) ;; f'{f()}' == S ;; '%s' % f() == S ;; f().get(W) == X
sum([1, 2]) == 3 ;; len(W) == N ;; W == X ;; not N ;; f() == f() ;; [f()] * 2 == [W, W] ;; complex(f()) == N
f() == N - M ;; f() == [W] + [X]
"""
forms = [form.strip() for line in FORMS.strip().splitlines() for form in line.split(";;")]
blocks = [
    "expected = W\nassert f() == expected",
    "expected = W\nassert f() == expected or expected == f()\nassert expected == f()",
    "for x in [W, X]:\n    assert f() == x",
    "for x, y in [(N, W), (M, X)]:\n    assert g(x) == y",
    "cases = [(N, W), (M, X)]\nfor x, y in cases:\n    assert g(x) == y, 'why'",
    "for i, (x, y) in enumerate(zip([N, M], [W, X])):\n    assert [g(x), i] == [y, i]",
    "for x in [W, X]:\n    r = h(x)\n    assert r == W",
    "for x in W:\n    assert x in f()",
    "for x in range(2):\n    for y in (N, M):\n        assert g(x) != y",
    "x = W\nassert h(x) == x",
    "x = W\nh(x)\nassert x == X",
    "r = f()\nassert r == W\nr = h(W)\nassert r != X",
    "r = f()\nassert r\nassert not r[0]",
    "a, b = f()\nassert a == W and b == X",
    "def check(candidate):\n    for x in [W]:\n        assert candidate() == x\n    assert candidate()\ncheck(f)",
    "errors = 0\nfor x in [W]:\n    if f() != x:\n        errors += 1\nassert errors == 0",
]


@st.composite
def programs(draw: st.DrawFn) -> tuple[Any, str]:
    """What `f()` returns, and a test of it that often enough is right."""
    found = draw(anything)
    near = st.just(found) | (
        st.sampled_from([*found]) if isinstance(found, (list, tuple, set, dict)) and found else plain
    )
    wanted = {name: repr(draw(kind)) for name, kind in {"W": near | anything, "X": near | anything, "S": words}.items()}
    wanted |= {"N": repr(draw(numbers)), "M": repr(draw(numbers))}
    source = draw(st.sampled_from([f"assert {form}" for form in forms] + blocks))
    return found, "".join(wanted.get(part, part) for part in _tokens(source))


def _tokens(source: str) -> list[str]:
    """`source` in pieces, of which single capitals stand for values."""
    alone = [
        at
        for at, letter in enumerate(source)
        if letter in "WXSNM" and not (source[at - 1 : at].isalnum() or source[at + 1 : at + 2].isalnum())
    ]
    cuts = sorted({0, len(source), *alone, *(at + 1 for at in alone)})
    return [source[start:end] for start, end in pairwise(cuts)]


def namespace(found: Any) -> dict[str, Any]:
    """An honest program: `f()` gives `found`, `g(x)` says it of numbers above 0, `h(x)` gives it and changes lists."""

    def f() -> Any:
        return copy.deepcopy(found)

    def h(x: Any) -> Any:
        if isinstance(x, list):
            x.append(1)
        return f()

    return {"f": f, "g": lambda x: f() if x > 0 else None, "h": h, "math": math}


def holds_beside_the_program(found: Any, test: str) -> bool:
    try:
        exec(compile(test, "<test>", "exec"), namespace(found))
    except Exception:
        return False
    return True


def answer(found: Any, steps: tuple[Step, ...]) -> Report:
    names, values = namespace(found), []
    failure = None
    try:
        for kind, source in steps:
            if kind == "run":
                exec(compile(source, "<test>", "exec"), names)
            else:
                value = eval(compile(source, "<test>", "eval"), names)
                values.append(encode(value) if kind == "value" else bool(value))
    except Exception as error:
        failure = Failure(type(error).__name__, "", None, "assertion" if type(error) is AssertionError else "other")
    return Report(tuple(json.loads(json.dumps(values))), failure, USAGE)


@steady
@given(programs())
def test_the_judge_says_what_plain_execution_says(program: tuple[Any, str]) -> None:
    found, test = program
    plan = split_assert(test)
    verdict, _ = judge_plan(plan, answer(found, plan.steps))
    assert (verdict is Verdict.ACCEPTED) == holds_beside_the_program(found, test), (plan, verdict)


def test_most_forms_are_split() -> None:
    """Else the agreement would be that of plain execution with itself."""
    names = {"W": "[1, 2]", "X": "{3}", "S": "'a'", "N": "2", "M": "3"}
    tests = ["".join(names.get(part, part) for part in _tokens(f"assert {form}")) for form in forms]
    low = [test for test in tests if split_assert(test).assurance is Assurance.LOW]
    assert len(low) <= 20, low


@steady
@given(st.text(alphabet="f(x)=<>!1 'a[],:+-*.and not in assert for\n", max_size=40))
def test_any_text_has_a_plan(text: str) -> None:
    for source in (text, f"assert {text}"):
        plan = split_assert(source)
        assert all(check.needs <= plan.values for check in plan.checks)
        assert plan.assurance is Assurance.LOW or plan.checks
