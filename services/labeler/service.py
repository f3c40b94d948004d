"""What the routes ask for: jobs that are stored and queued together or not at all."""

import hashlib
from collections import Counter
from collections.abc import Iterator

from pydantic_core import PydanticSerializationError

from services.contracts import Job, JobRequest, JobsPage, JobStatus, LabelRecord, MutantsPage
from services.kit.errors import BadRequestError, ConflictError, NotFoundError, UnavailableError
from services.labeler.broker import Broker, BrokerDownError
from services.labeler.card import render_card
from services.labeler.cursors import check_job_cursor, key_of
from services.labeler.splits import Split
from services.labeler.storage import JobRepository, KeyTakenError, ResultRepository, TallyRepository
from services.labeler.teachers import Allowed


class JobService:
    """Blocking calls; the routes run them in threads."""

    def __init__(
        self,
        jobs: JobRepository,
        results: ResultRepository,
        tallies: TallyRepository,
        broker: Broker,
        *,
        problems_per_task: int,
        allowed: Allowed,
    ) -> None:
        self._jobs = jobs
        self._results = results
        self._tallies = tallies
        self._broker = broker
        self._problems_per_task = problems_per_task
        self._allowed = allowed

    def create(self, request: JobRequest) -> tuple[Job, bool]:
        """Store and queue a job; True if it is new, False if its idempotency key had been used for the same request.

        Raises:
            BadRequestError: problems that can't be told apart, text that can't be stored, or a teacher that this
                labeler may not ask.
            ConflictError: the idempotency key belongs to another request.
            UnavailableError: the queue is down; nothing was stored.
        """
        if objection := self._allowed.objection(request.teacher):
            raise BadRequestError("teacher_not_allowed", objection)
        _refuse_impossible(request)
        fingerprint = _fingerprint(request)
        if job := self._repeated(request, fingerprint):
            return job, False
        try:
            self._broker.ping()
            job_id = self._jobs.create(request, fingerprint)
            try:
                self._enqueue(job_id, list(range(len(request.problems))))
            except BrokerDownError:
                self._jobs.delete(job_id)
                raise
        except BrokerDownError as error:
            raise UnavailableError("queue_down", f"the job was not accepted: {error}", retry_after_s=5) from error
        except KeyTakenError:
            if job := self._repeated(request, fingerprint):
                return job, False
            raise
        return self.get(job_id), True

    def resume(self) -> None:
        """Queue again what a crash between storing and queueing, or the loss of the queue, left behind.

        Problems that are in the queue already are then in it twice, which costs a look and changes nothing.

        Raises:
            BrokerDownError: Redis took no message.
        """
        for job_id in self._jobs.unfinished():
            self._enqueue(job_id, self._jobs.pending_positions(job_id))

    def requeue_lost(self) -> None:
        """Queue again what is in dead hands, and what is pending while the queue is empty.

        A Redis that came back without its data has lost it.

        Raises:
            BrokerDownError: Redis does not answer.
            DatabaseAwayError: the database does not.
        """
        self._broker.release_unrenewed()
        if self._broker.is_empty():
            self.resume()

    def get(self, job_id: str) -> Job:
        """The job, or `NotFoundError`."""
        job = None if "\x00" in job_id else self._jobs.get(job_id)
        if job is None:
            raise NotFoundError("unknown_job", f"there is no job {job_id!r}")
        return job

    def page(self, status: JobStatus | None, limit: int, cursor: str | None) -> JobsPage:
        """The newest jobs first, or `BadRequestError` for a cursor that nobody gave out."""
        check_job_cursor(cursor)
        return self._jobs.page(status, limit, cursor)

    def cancel(self, job_id: str) -> Job:
        """Cancel a job and return it; one that is over stays as it is."""
        self.get(job_id)
        self._jobs.cancel(job_id)
        return self.get(job_id)

    def mutants(self, job_id: str, limit: int, cursor: str | None) -> MutantsPage:
        """A page of the programs that the job made, with their outcomes."""
        self.get(job_id)
        return self._results.mutants(job_id, limit, key_of(cursor))

    def labels(self, job_id: str, split: Split | None) -> Iterator[LabelRecord]:
        """The job's labels so far, or `NotFoundError` at once."""
        self.get(job_id)
        return self._results.labels(job_id, split)

    def card(self, job_id: str) -> str:
        """The job's data card in Markdown, or `NotFoundError`."""
        job = self.get(job_id)
        recipe = self._jobs.recipe(job_id)
        return render_card(job, recipe, self._tallies.programs(job_id), self._tallies.splits(job_id))

    def _repeated(self, request: JobRequest, fingerprint: str) -> Job | None:
        known = self._jobs.with_key(request.idempotency_key) if request.idempotency_key else None
        if known is None:
            return None
        job_id, first_fingerprint = known
        if first_fingerprint != fingerprint:
            raise ConflictError(
                "idempotency_key_reused",
                "this idempotency_key came with another request before; take a new one",
                details={"job_id": job_id},
            )
        return self.get(job_id)

    def _enqueue(self, job_id: str, positions: list[int]) -> None:
        for start in range(0, len(positions), self._problems_per_task):
            self._broker.send(job_id, positions[start : start + self._problems_per_task])


def _refuse_impossible(request: JobRequest) -> None:
    try:
        request.model_dump_json()
    except PydanticSerializationError as error:
        raise BadRequestError(
            "not_unicode", "the request holds half a surrogate pair, which is no character"
        ) from error
    counts = Counter(problem.id for problem in request.problems)
    if repeated := [problem_id for problem_id, count in counts.items() if count > 1]:
        shown = ", ".join(map(repr, repeated[:5]))
        raise BadRequestError("duplicate_problem_ids", f"problem ids must be unique: {shown}", details=repeated)
    if "\x00" in request.name + (request.idempotency_key or ""):
        raise BadRequestError("nul_character", "name and idempotency_key must hold no NUL character")
    for problem in request.problems:
        if "\x00" in problem.id + problem.prompt + problem.solution + problem.setup:
            raise BadRequestError("nul_character", f"problem {problem.id!r} holds a NUL character")


def _fingerprint(request: JobRequest) -> str:
    body = request.model_dump_json(exclude={"idempotency_key"})
    return hashlib.sha256(body.encode()).hexdigest()
