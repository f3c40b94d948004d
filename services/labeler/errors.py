"""What can end the labelling of a problem or of a whole job.

LabelerError
├── UnusableProblemError   this problem is rejected, with the reason; the job goes on
├── JobCancelledError      somebody cancelled the job; stop, keep nothing of the problem at hand
├── ExecutorLostError      the executor stayed away; the job fails
├── TeacherLostError       the teacher's model stayed away, or may not be asked; the job fails
└── UnansweredError        one question to a model came to nothing; it is counted and the rest goes on
UnavailableError (services.kit.errors)
└── DatabaseAwayError      the database does not answer: a worker waits for it, the web service answers 503
"""

from services.kit.errors import UnavailableError


class LabelerError(Exception):
    """The root of the labeler's own exceptions."""


class UnusableProblemError(LabelerError):
    """A problem that can't be labelled; the message is the reason that the job reports."""


class JobCancelledError(LabelerError):
    """The job is no longer wanted."""


class ExecutorLostError(LabelerError):
    """The executor gave no answer for so long that waiting on makes no sense."""


class TeacherLostError(LabelerError):
    """The teacher can't work; the message says why, and holds no key."""


class UnansweredError(LabelerError):
    """A question that the model's server refused, or failed at again and again."""


class DatabaseAwayError(UnavailableError):
    """The database does not answer, or lost the transaction; whatever was being done can be done again."""

    def __init__(self, reason: str) -> None:
        super().__init__("database_down", f"the database does not answer: {reason}", retry_after_s=5)
