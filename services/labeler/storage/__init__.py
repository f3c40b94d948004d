"""What a job is and made, kept in SQLite or PostgreSQL; nothing outside this package knows SQLAlchemy."""

from services.labeler.storage.browsing import LABELS, BrowsingRepository, SeenProgram, Wanted
from services.labeler.storage.database import Database
from services.labeler.storage.jobs import JobRepository, KeyTakenError
from services.labeler.storage.questions import ModelReply, QuestionRepository, Refusal
from services.labeler.storage.results import ResultRepository
from services.labeler.storage.tally import ProgramCount, SplitCount, TallyRepository
from services.labeler.storage.work import PendingProblem, WorkRepository

__all__ = [
    "LABELS",
    "BrowsingRepository",
    "Database",
    "JobRepository",
    "KeyTakenError",
    "ModelReply",
    "PendingProblem",
    "ProgramCount",
    "QuestionRepository",
    "Refusal",
    "ResultRepository",
    "SeenProgram",
    "SplitCount",
    "TallyRepository",
    "Wanted",
    "WorkRepository",
]
