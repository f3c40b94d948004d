"""What the labeler counts, for Prometheus: asked of the database and the queue whenever somebody reads it.

The workers are many processes on many machines, and the database holds what they made, so nothing is counted twice or
lost with one of them. Jobs that are over don't change: their counts are read once and remembered.
"""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from services.contracts import Job, JobStatus
from services.labeler.broker import Broker, BrokerDownError
from services.labeler.errors import DatabaseAwayError
from services.labeler.storage import JobRepository

_NAME = "linewise_labeler"


class LabelerCollector(Collector):
    """Reads on demand; a part that is away is told by `linewise_labeler_part_up`, and its figures are left out."""

    def __init__(self, jobs: JobRepository, broker: Broker) -> None:
        self._jobs = jobs
        self._broker = broker
        self._over: dict[str, Job] = {}

    def describe(self) -> list[Metric]:
        """Nothing: to be registered must not cost a look into a database that is not open yet."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Every metric, as things are now."""
        up = GaugeMetricFamily(f"{_NAME}_part_up", "Whether the part answers.", labels=["part"])
        for part, read in (("queue", self._of_queue), ("database", self._of_database)):
            try:
                yield from read()
            except (BrokerDownError, DatabaseAwayError):
                up.add_metric([part], 0)
            else:
                up.add_metric([part], 1)
        yield up

    def _of_queue(self) -> list[Metric]:
        waiting, running = self._broker.depth()
        return [
            GaugeMetricFamily(f"{_NAME}_queue_depth", "Tasks that wait, each some problems of a job.", waiting),
            GaugeMetricFamily(f"{_NAME}_running_tasks", "Tasks in the hands of workers.", running),
        ]

    def _of_database(self) -> list[Metric]:
        jobs = self._all_jobs()
        statuses = GaugeMetricFamily(f"{_NAME}_jobs", "Jobs by status.", labels=["status"])
        for status in JobStatus:
            statuses.add_metric([status.value], sum(job.status is status for job in jobs))
        pending = sum(job.problems.total - job.problems.done for job in jobs if not job.status.final)
        done = sum(job.problems.done - job.problems.rejected for job in jobs)
        rejected = sum(job.problems.rejected for job in jobs)
        return [
            statuses,
            GaugeMetricFamily(f"{_NAME}_pending_problems", "Problems of live jobs that are still to do.", pending),
            _counter("problems", "Problems that are settled.", "state", {"labelled": done, "rejected": rejected}),
            _counter(
                "labels",
                "Labels of steps; unknown is a mutant that survived.",
                "label",
                {name: sum(getattr(job.labels, name) for job in jobs) for name in ("positive", "negative", "unknown")},
            ),
            _counter(
                "mutants",
                "Mutants by what became of them.",
                "outcome",
                {
                    name: sum(getattr(job.mutants, name) for job in jobs)
                    for name in ("killed", "survived", "incompetent", "unverified")
                },
            ),
        ]

    def _all_jobs(self) -> list[Job]:
        live = []
        for job_id in self._jobs.ids():
            if job_id in self._over or (job := self._jobs.get(job_id)) is None:
                continue
            if job.status.final:
                self._over[job_id] = job.model_copy(update={"rejected": []})
            else:
                live.append(job)
        return [*self._over.values(), *live]


def _counter(name: str, meaning: str, label: str, values: dict[str, int]) -> CounterMetricFamily:
    family = CounterMetricFamily(f"{_NAME}_{name}", meaning, labels=[label])
    for value, count in values.items():
        family.add_metric([value], count)
    return family
