"""The tasks that policies are trained and judged on, all of one type: `services.contracts.Problem`.

`load_problems(spec)` reads MBPP, HumanEval, generated list tasks or a file; the grammar of specs is in `specs`.
Leaves out anything that would have to be downloaded.
"""

from trainer.problems.errors import ProblemFileError, ProblemsError, UnknownSpecError
from trainer.problems.loading import SPEC_HELP, license_of, load_problems
from trainer.problems.overlap import overlap_note

__all__ = [
    "SPEC_HELP",
    "ProblemFileError",
    "ProblemsError",
    "UnknownSpecError",
    "license_of",
    "load_problems",
    "overlap_note",
]
