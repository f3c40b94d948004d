"""What models were asked, by whom, and what they said: the cache of replies and the ledger of spending in one table.

A request is written down before it is sent and so counts whatever becomes of the worker; its reply is kept for ever,
for every job. `claim` decides in one transaction, with the job's row locked, so that workers together keep a budget.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum

from sqlalchemy import ColumnElement, delete, func, insert, select, update
from sqlalchemy.orm import Session

from services.contracts import Budget
from services.labeler.storage.database import Database
from services.labeler.storage.tables import JobRow, TeacherRequestRow

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class ModelReply:
    """A model's text; `complete` is False where it was cut off by the limit on its length."""

    text: str
    complete: bool
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Refusal(Enum):
    """Why a question can't be asked now: come back in a moment, or never."""

    BUSY = "another worker asks it just now, or the rate limit is reached"
    SPENT = "the budget is spent"


class QuestionRepository:
    """All methods are whole transactions. A claim that is older than `claim_s` belongs to a worker that has died."""

    def __init__(self, database: Database, *, claim_s: float) -> None:
        self._database = database
        self._claim = timedelta(seconds=claim_s)

    def claim(self, job_id: str, teacher: str, key: str, budget: Budget) -> ModelReply | Refusal | int:
        """The reply if it is known, else the id of a request that the caller is now to send, else why not."""
        with self._database.write() as session:
            session.execute(select(JobRow.id).where(JobRow.id == job_id).with_for_update())
            if reply := _known(session, key):
                return reply
            if self._is_asked(session, key) or _too_many_a_minute(session, teacher, budget):
                return Refusal.BUSY
            if _is_spent(session, job_id, teacher, budget):
                return Refusal.SPENT
            row = {
                "job_id": job_id,
                "teacher": teacher,
                "key": key,
                "begun_at": datetime.now(UTC),
                "prompt_tokens": 0,
                "completion_tokens": 0,
                "cost": 0.0,
            }
            inserted = insert(TeacherRequestRow).values(row).returning(TeacherRequestRow.id)
            return int(session.execute(inserted).scalar_one())

    def renew(self, request_id: int) -> None:
        """Say that the request is sent once more, so that nobody takes its worker for dead."""
        self._change(request_id, begun_at=datetime.now(UTC))

    def keep(self, request_id: int, reply: ModelReply, cost: float) -> None:
        """Keep what came back and what it cost."""
        self._change(
            request_id,
            text=reply.text.replace("\x00", "\ufffd"),
            complete=reply.complete,
            prompt_tokens=reply.prompt_tokens,
            completion_tokens=reply.completion_tokens,
            cost=cost,
        )

    def drop(self, request_id: int) -> None:
        """Forget a request that was refused, which costs nothing."""
        with self._database.write() as session:
            session.execute(delete(TeacherRequestRow).where(TeacherRequestRow.id == request_id))

    def _is_asked(self, session: Session, key: str) -> bool:
        query = select(func.count()).where(TeacherRequestRow.key == key, _begun_within(self._claim))
        return bool(session.scalar(query))

    def _change(self, request_id: int, **values: object) -> None:
        with self._database.write() as session:
            session.execute(update(TeacherRequestRow).where(TeacherRequestRow.id == request_id).values(**values))


def _known(session: Session, key: str) -> ModelReply | None:
    query = select(TeacherRequestRow).where(TeacherRequestRow.key == key, TeacherRequestRow.text.is_not(None))
    row = session.scalars(query.order_by(TeacherRequestRow.id).limit(1)).first()
    return ModelReply(row.text or "", bool(row.complete), row.prompt_tokens, row.completion_tokens) if row else None


def _begun_within(time: timedelta) -> ColumnElement[bool]:
    """In the last `time`; what a clock wrote that was set back since is not yet to come, but long ago."""
    now = datetime.now(UTC)
    return TeacherRequestRow.begun_at.between(now - time, now)


def _too_many_a_minute(session: Session, teacher: str, budget: Budget) -> bool:
    if budget.requests_per_minute is None:
        return False
    query = select(func.count()).where(TeacherRequestRow.teacher == teacher, _begun_within(_MINUTE))
    return (session.scalar(query) or 0) >= budget.requests_per_minute


def _is_spent(session: Session, job_id: str, teacher: str, budget: Budget) -> bool:
    tokens = func.coalesce(func.sum(TeacherRequestRow.prompt_tokens + TeacherRequestRow.completion_tokens), 0)
    query = select(func.count(), tokens).where(TeacherRequestRow.job_id == job_id, TeacherRequestRow.teacher == teacher)
    requests, spent = session.execute(query).one()
    too_many = budget.max_requests is not None and requests >= budget.max_requests
    return too_many or (budget.max_tokens is not None and spent >= budget.max_tokens)
