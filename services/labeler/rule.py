"""What a mutation operator and a refactoring have in common."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Protocol

import libcst as cst

from services.labeler.syntax import Edit, Program


@dataclass(frozen=True, init=False, slots=True)
class Example:
    """What a rule makes of the program `before`: all the programs `after`, in order; none where it stays away."""

    before: str
    after: tuple[str, ...]

    def __init__(self, before: str, *after: str) -> None:
        object.__setattr__(self, "before", before)
        object.__setattr__(self, "after", after)


class Rule(Protocol):
    """Changes one place of a program.

    A mutation operator changes what the program does; a refactoring claims not to. Neither is believed: the tests
    decide. `may_break` says what a change of this kind can upset, `examples` are run by one test for all rules.
    """

    name: ClassVar[str]
    may_break: ClassVar[str]
    examples: ClassVar[tuple[Example, ...]]

    def edits(self, node: cst.CSTNode, program: Program) -> Iterator[Edit]:
        """The ways in which this rule can change `node`."""
        ...
