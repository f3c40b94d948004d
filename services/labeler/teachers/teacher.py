"""What every teacher has in common: it gets a problem, and gives back programs with their labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from services.contracts import Problem
from services.labeler.judging import Judge
from services.labeler.recipe import Asked, LabelledProgram, Recipe
from services.labeler.syntax import Program


@dataclass(frozen=True, slots=True)
class Lesson:
    """A problem to make programs of; `places` are the steps of the reference that this teacher is to see to."""

    problem: Problem
    program: Program
    recipe: Recipe
    judge: Judge
    places: frozenset[int]


@dataclass(frozen=True, slots=True)
class Taught:
    """What a teacher made: programs, and soft labels of the reference's steps by their index."""

    programs: Sequence[LabelledProgram] = ()
    soft: Mapping[int, float] = field(default_factory=dict)
    asked: Asked = field(default_factory=Asked)


class Teacher(Protocol):
    """Changes, or writes, programs for a problem; the problem's tests decide on the labels, never the teacher.

    The same lesson gives the same programs, as far as the teacher can answer for it.
    """

    @property
    def name(self) -> str:
        """What stands beside its labels."""
        ...

    async def teach(self, lesson: Lesson) -> Taught:
        """Raises `TeacherLostError` where its model can't be reached."""
        ...
