"""Labels one problem, from its reference solution to its labelled programs.

    reference runs ─► new tests ─► reference runs again, on all tests ─► the teacher's programs run ─► labels

Knows neither queue nor database: it gets a problem, a teacher and a verifier, and returns what is to be kept.
"""

from services.contracts import Origin, Problem, Verdict, split_steps
from services.labeler.judging import Judge
from services.labeler.labels import label_steps, soften
from services.labeler.recipe import LabelledProblem, LabelledProgram, Recipe
from services.labeler.reference import augmented_tests, reference_cpu_s
from services.labeler.solution import read_solution
from services.labeler.teachers import Lesson, Teacher
from services.labeler.verification import Verifier


async def label_problem(problem: Problem, recipe: Recipe, verifier: Verifier, teacher: Teacher) -> LabelledProblem:
    """Label the reference solution of `problem` and the programs that `teacher` makes of it.

    Raises:
        UnusableProblemError: the reference fails its own tests, or can't be read.
        TeacherLostError: the teacher's model can't be reached.
    """
    program = read_solution(problem.solution)
    cpu_s = await reference_cpu_s(problem, program.code, verifier)
    augmented = await augmented_tests(problem, program.code, recipe, cpu_s, verifier)
    judge = Judge(problem, augmented, recipe.segment, cpu_s, verifier)
    places = frozenset(step.index for step in split_steps(program.code, recipe.segment))
    taught = await teacher.teach(Lesson(problem, program, recipe, judge, places))
    reference = LabelledProgram(
        origin=Origin.REFERENCE,
        operator=None,
        changed_step=None,
        code=program.code,
        outcome=None,
        verdict=Verdict.ACCEPTED,
        killed_by=None,
        steps=soften(label_steps(program.code, recipe.segment), taught.soft),
        teacher=teacher.name,
    )
    return LabelledProblem([reference, *taught.programs], augmented, taught.asked)
