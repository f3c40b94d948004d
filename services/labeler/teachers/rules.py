"""The teacher that needs no model: mutation operators and refactorings on the syntax tree."""

from services.contracts import Origin
from services.labeler.candidates import choose, propose
from services.labeler.teachers.teacher import Lesson, Taught


class Rules:
    """Every rule at every place, and a seeded choice among what they make."""

    name = "rules"

    async def teach(self, lesson: Lesson) -> Taught:
        recipe = lesson.recipe
        per_step = {Origin.MUTATION: recipe.mutants_per_step, Origin.REFACTORING: recipe.refactorings_per_step}
        proposed = propose(lesson.program, recipe.segment)
        mine = (candidate for candidate in proposed if candidate.place in lesson.places)
        chosen = choose(mine, per_step, f"{recipe.seed}/{lesson.problem.id}")
        return Taught(await lesson.judge.label(chosen, self.name))
