"""What rules are told of a program."""

import libcst as cst
from libcst.metadata import MetadataWrapper, Scope, ScopeProvider

from services.labeler.syntax import Program

CODE = """
import math  # pi
class C:
    x: int = 1
    @property
    def y(self): return [a.b for a in self.z if a]
def f(a, *b, c=lambda d: d + 1, **e):
    global g
    g, (h, i[0]) = a
    for j in b:
        with j as k: h += math.pi
    return {m: n for m, n in (e := c).items()}, locals
"""


def outline(scopes: dict[cst.CSTNode, Scope]) -> list[object]:
    """For each node its scope's kind and names, who assigns each and how often it is read."""
    return [
        (type(node), type(scope), sorted((one.name, len(one.references)) for one in scope.assignments))
        for node, scope in scopes.items()
    ]


def test_scopes_are_those_of_the_librarys_own_walk():
    theirs = MetadataWrapper(cst.parse_module(CODE), unsafe_skip_copy=True).resolve(ScopeProvider)
    assert outline(Program(CODE).scopes) == outline({node: scope for node, scope in theirs.items() if scope})


def test_walk_meets_parents_before_children_and_no_white_space():
    program = Program("# a\n\nx = (  # b\n    f( y )\n)\n")
    found = [type(node).__name__ for node in program.walk()]
    assert found[:6] == ["Module", "SimpleStatementLine", "Assign", "AssignTarget", "Name", "Call"]
    assert sorted(found[6:]) == ["Arg", "LeftParen", "Name", "Name", "RightParen"]
