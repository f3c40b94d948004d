"""The teacher that is several: each step of each problem is given to one of them."""

from collections.abc import Sequence
from random import Random

from services.labeler.recipe import Asked
from services.labeler.teachers.teacher import Lesson, Taught, Teacher


class Mix:
    """Draws a teacher for each step by the shares; problem and seed alone decide, so a run can be repeated."""

    name = "mix"

    def __init__(self, teachers: Sequence[Teacher], shares: Sequence[float]) -> None:
        self._teachers = teachers
        self._shares = shares

    async def teach(self, lesson: Lesson) -> Taught:
        places = self._divide(lesson)
        parts = [
            await teacher.teach(Lesson(lesson.problem, lesson.program, lesson.recipe, lesson.judge, frozenset(mine)))
            for teacher, mine in zip(self._teachers, places, strict=True)
            if mine
        ]
        programs = {program.code: program for part in reversed(parts) for program in reversed(part.programs)}
        soft = {step: share for part in parts for step, share in part.soft.items()}
        asked = sum((part.asked for part in parts), start=Asked())
        return Taught(list(reversed(programs.values())), soft, asked)

    def _divide(self, lesson: Lesson) -> list[set[int]]:
        """The places of each teacher."""
        random = Random(f"{lesson.recipe.seed}/{lesson.problem.id}/mix")
        divided: list[set[int]] = [set() for _ in self._teachers]
        for place in sorted(lesson.places):
            [chosen] = random.choices(range(len(divided)), weights=self._shares)
            divided[chosen].add(place)
        return divided
