"""What the executor counts and times, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from services.contracts import ExecuteReply

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class ExecutorMetrics:
    """One set of metrics on the registry of one app."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.queued = Gauge("linewise_executor_queued_programs", "Programs that wait.", registry=registry)
        self.running = Gauge("linewise_executor_running_programs", "Programs that run.", registry=registry)
        self.wait_seconds = Histogram(
            "linewise_executor_wait_seconds", "From admission to the start.", buckets=_SECONDS, registry=registry
        )
        self.run_seconds = Histogram(
            "linewise_executor_run_seconds", "A program with all its tests.", buckets=_SECONDS, registry=registry
        )
        self.programs = Counter(
            "linewise_executor_programs",
            "Programs by verdict and isolation.",
            ["verdict", "isolation"],
            registry=registry,
        )
        self.tests = Counter(
            "linewise_executor_tests", "Tests by verdict and assurance.", ["verdict", "assurance"], registry=registry
        )
        self.replaced = Counter("linewise_executor_replaced_sandboxes", "Sandboxes that failed.", registry=registry)

    def count(self, reply: ExecuteReply) -> None:
        """Add one program's verdicts."""
        self.programs.labels(reply.verdict.value, reply.isolation).inc()
        for test in reply.tests:
            self.tests.labels(test.verdict.value, test.assurance.value).inc()
