"""What the executor counts and times, for Prometheus."""

from collections.abc import Callable
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

from services.contracts import Assurance, Verdict
from services.executor.done import Done

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_NAME = "linewise_executor"


class ExecutorMetrics:
    """One set of metrics on the registry of one app."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, meaning: str, *labels: str) -> Counter:
            return Counter(f"{_NAME}_{name}", meaning, labels, registry=registry)

        def gauge(name: str, meaning: str) -> Gauge:
            return Gauge(f"{_NAME}_{name}", meaning, registry=registry)

        def histogram(name: str, meaning: str) -> Histogram:
            return Histogram(f"{_NAME}_{name}", meaning, buckets=_SECONDS, registry=registry)

        self._queued = gauge("queued_programs", "Programs that wait.")
        self._running = gauge("running_programs", "Programs that run.")
        self._live = gauge("live_sandboxes", "Sandboxes that can run a program.")
        self._isolation = Info(f"{_NAME}_isolation", "The layers in force.", registry=registry)
        self.wait_seconds = histogram("wait_seconds", "From admission to the start.")
        self.run_seconds = histogram("run_seconds", "A program with all its tests.")
        self.children = counter("children_total", "Processes forked, one for each run of a program.")
        self.abandoned = counter("abandoned_programs_total", "Programs given up: the caller left, or its time was up.")
        self.deadline_passed = counter("deadline_passed_total", "Requests answered 504: no result in their time.")
        self.replaced = counter("replaced_sandboxes_total", "Sandboxes that failed.")
        self.failed_starts = counter("failed_sandbox_starts_total", "Sandboxes that did not start.")
        programs = counter("programs_total", "Programs by verdict and isolation.", "verdict", "isolation")
        tests = counter("tests_total", "Tests by verdict and assurance.", "verdict", "assurance")
        runs = counter("run_code_total", "Replies of /run_code by status and language.", "status", "language")
        self._programs, self._tests, self._runs = cache(programs.labels), cache(tests.labels), cache(runs.labels)

    def watch_pool(
        self, queued: Callable[[], int], running: Callable[[], int], live: Callable[[], int], isolation: str
    ) -> None:
        """Ask the pool what the gauges say, whenever somebody reads them, and begin to count.

        Each verdict begins at 0, for Prometheus sees no rise in a series that begins with its first event.
        """
        self._queued.set_function(queued)
        self._running.set_function(running)
        self._live.set_function(live)
        self._isolation.info({"isolation": isolation})
        for verdict in Verdict:
            self._programs(verdict.value, isolation)
            for assurance in Assurance:
                self._tests(verdict.value, assurance.value)

    def count(self, done: Done) -> None:
        """Add one program's verdicts."""
        self._programs(done.outcome, done.isolation).inc()
        for verdict, assurance, tests in done.tests:
            self._tests(verdict, assurance).inc(tests)

    def count_run(self, status: str, language: str) -> None:
        """Add one reply of `/run_code`."""
        self._runs(status, language).inc()
