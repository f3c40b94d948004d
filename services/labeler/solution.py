"""A reference solution as the labeler works on it: newlines normalised, and readable by LibCST."""

import ast
import re

import libcst as cst

from services.labeler.bytecode import essence
from services.labeler.errors import UnusableProblemError
from services.labeler.syntax import Program

_INDENTATION = re.compile(r"^[ \t\f]*\t[ \t\f]*", re.MULTILINE)
_TAB_STOP = 8
"""Where a tab ends in Python's own tokenizer: https://docs.python.org/3/reference/lexical_analysis.html#indentation"""


def read_solution(solution: str) -> Program:
    """Parse `solution`; all spans that the labeler reports refer to the text of the program that comes back.

    CRLF and CR become LF. Where Python reads a mixture of tabs and blanks that LibCST does not, the indentation is
    written in blanks; nothing else of the text changes.

    Raises:
        UnusableProblemError: it is not Python, or nested too deeply.
    """
    code = solution.replace("\r\n", "\n").replace("\r", "\n")
    if essence(code) is None:
        raise UnusableProblemError("the solution does not compile")
    try:
        return _parse(code)
    except RecursionError as error:
        raise UnusableProblemError("the solution is nested too deeply") from error
    except cst.ParserSyntaxError as error:
        raise UnusableProblemError(f"the solution can't be parsed: {error.message}") from error


def _parse(code: str) -> Program:
    try:
        return Program(code)
    except cst.ParserSyntaxError:
        blanks = _INDENTATION.sub(lambda found: found.group().expandtabs(_TAB_STOP), code)
        if ast.dump(ast.parse(blanks)) != ast.dump(ast.parse(code)):
            raise
        return Program(blanks)
