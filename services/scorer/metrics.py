"""What the scorer counts, for Prometheus: queue, batches, padding, latency by stage, and the scores themselves."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from services.contracts.prm_layout import PrmInput
from services.scorer.shared_prompts import PromptUse

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_TOKENS = tuple(2**power for power in range(5, 18))
_SCORES = tuple(tenth / 10 for tenth in range(1, 11))


class ScorerMetrics:
    """The scorer's own metrics, on one registry.

    Stages: `encode` (text to ids, a request), `queue` (waiting for the model, a program), `model` (a pass). The share
    of padding is `linewise_scorer_tokens_total{kind="padding"}` over the sum of both kinds. Programs and steps are
    counted by where their scores came from: `cached`, `joined` (from a pass that was under way for another request) or
    `scored` (a pass of their own); the hit rate is `linewise_scorer_steps_total{source="cached"}` over all sources.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.queue_depth = Gauge(
            "linewise_scorer_queue_depth", "Programs taken in and not yet answered.", registry=registry
        )
        self.refused = Counter(
            "linewise_scorer_refused_total", "Requests answered with 429: the queue was full.", registry=registry
        )
        self._tokens = Counter(
            "linewise_scorer_tokens_total", "Tokens through the model.", ["model", "kind"], registry=registry
        )
        self._batch_tokens = Histogram(
            "linewise_scorer_batch_tokens",
            "Tokens of one pass, padding included, a shared prompt once, a kept one not at all.",
            ["model"],
            buckets=_TOKENS,
            registry=registry,
        )
        self._batch_programs = Histogram(
            "linewise_scorer_batch_programs",
            "Programs of one pass.",
            ["model"],
            buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
            registry=registry,
        )
        self._stage_seconds = Histogram(
            "linewise_scorer_stage_seconds",
            "Time spent in each stage.",
            ["model", "stage"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._passes = Counter("linewise_scorer_passes_total", "Passes of the model.", ["model"], registry=registry)
        self._programs = Counter(
            "linewise_scorer_programs_total",
            "Programs with code, by where their scores came from.",
            ["model", "source"],
            registry=registry,
        )
        self._steps = Counter(
            "linewise_scorer_steps_total",
            "Code steps, by where their scores came from.",
            ["model", "source"],
            registry=registry,
        )
        self._cache_entries = Gauge(
            "linewise_scorer_cache_entries", "Steps whose scores are remembered.", ["model"], registry=registry
        )
        self._scores = Histogram(
            "linewise_scorer_scores",
            "Scores of code steps, as passes gave them.",
            ["model"],
            buckets=_SCORES,
            registry=registry,
        )

    def observe_stage(self, model: str, stage: str, *seconds: float) -> None:
        """Record that `stage` took so long, each time."""
        histogram = self._stage_seconds.labels(model, stage)
        for each in seconds:
            histogram.observe(each)

    def observe_sources(self, model: str, *, cached: int, joined: int, scored: int) -> None:
        """Record a program by where the scores of its steps came from; it counts under the dearest source."""
        self._programs.labels(model, "scored" if scored else "joined" if joined else "cached").inc()
        for source, steps in (("cached", cached), ("joined", joined), ("scored", scored)):
            self._steps.labels(model, source).inc(steps)

    def observe_cache(self, model: str, entries: int) -> None:
        """Record how many steps of a model are remembered."""
        self._cache_entries.labels(model).set(entries)

    def observe_pass(
        self, model: str, inputs: Sequence[PrmInput], scores: Sequence[Sequence[float]], prompt: PromptUse
    ) -> None:
        """Record one pass of the model: its size, its padding and its scores."""
        lengths = [len(item.ids) - prompt.shared for item in inputs]
        padded = max(lengths) * len(lengths)
        self._passes.labels(model).inc()
        self._tokens.labels(model, "real").inc(prompt.read + sum(lengths))
        self._tokens.labels(model, "padding").inc(padded - sum(lengths))
        self._batch_tokens.labels(model).observe(prompt.read + padded)
        self._batch_programs.labels(model).observe(len(lengths))
        histogram = self._scores.labels(model)
        for score in (score for row in scores for score in row):
            histogram.observe(score)
