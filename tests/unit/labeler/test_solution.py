"""Reference solutions are read as Python reads them."""

import pytest

from services.labeler.errors import UnusableProblemError
from services.labeler.solution import read_solution


def test_newlines_are_normalised_and_nothing_else_is_touched():
    assert read_solution("def f(x):\r\n\treturn  x # é\r\rx = 1 ").code == "def f(x):\n\treturn  x # é\n\nx = 1 "


def test_indentation_that_only_python_understands_is_written_in_blanks():
    code = "def f(x):\n  if x:\n\t   return '\\t'\n  return 2"
    assert read_solution(code).code == "def f(x):\n  if x:\n           return '\\t'\n  return 2"


@pytest.mark.parametrize("solution", ["def f(:", "x = '\x00'", "(" * 300 + ")" * 300, "return 1"])
def test_what_does_not_compile_is_refused(solution):
    with pytest.raises(UnusableProblemError, match="does not compile"):
        read_solution(solution)


def test_what_is_nested_too_deeply_for_the_parser_is_refused_and_crashes_nothing():
    with pytest.raises(UnusableProblemError):
        read_solution("x = " + "-" * 5000 + "1")
