"""Equal essences mean equal programs."""

import pytest

from services.labeler.bytecode import essence


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1", "\n\nx =  1  # one"),
        ("def f(a):\n    if a:\n        return 1\n    return 2", "def f(a):\n  if a: return 1\n  return 2"),
        ("x = a in {1, 2, 3}", "x = a in {3, 2, 1}"),
    ],
)
def test_layout_and_line_numbers_do_not_count(one, other):
    assert essence(one) == essence(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1", "x = 1.0"),
        ("x = 1", "x = True"),
        ("x = 0.0", "x = -0.0"),
        ("x = (1, 2)", "x = (1, 2.0)"),
        ("def f(a): return a", "def f(b): return b"),
        ("def f(a): pass", "def f(*, a): pass"),
        ("try: f()\nexcept A: pass", "f()\ntry: pass\nexcept A: pass"),
    ],
)
def test_types_of_constants_names_and_handlers_count(one, other):
    assert essence(one) != essence(other)


def test_no_essence_where_nothing_compiles():
    assert essence("def") is None


def test_a_dubious_escape_is_no_failure_though_python_warns_of_it():
    assert essence("x = '\\d'") is not None
