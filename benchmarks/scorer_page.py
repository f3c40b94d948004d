"""The page that the scorer's benchmark prints: machine, rates with their ratios, memory, targets."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from executor_page import spread

MB = 1_000_000
BARE = "bare model"
BY_SIDE = "side by side"
SIDE, ALONE = f"bare model, {BY_SIDE}", "bare model, a program a pass"
FLOOR = "HTTP with a constant, 64 at once"
TRAINERS = "HTTP, batches of 16 at once, as the trainer asks"
BATCH, SINGLES, SERIAL = "HTTP, one batch", "HTTP, 64 single calls at once", "HTTP, single calls in turn"
INT8, BFLOAT16, PACKED, COMPILED = (
    "bare model, int8",
    "bare model, bfloat16",
    "bare model, packed",
    "bare model, compiled",
)
INFINITY = "infinity-emb's /classify"
ONCE, PREFIXES = "12 lines, one pass", "12 lines, a pass a line"


@dataclass
class Findings:
    """All that one run found out; `rates` are programs a second of each round."""

    machine: dict[str, Any]
    options: dict[str, Any]
    model: dict[str, Any] = field(default_factory=dict)
    rates: dict[str, list[float]] = field(default_factory=dict)
    plain_gflops: list[float] = field(default_factory=list)
    packed_gflops: list[float] = field(default_factory=list)
    gflop_a_program: float = 0.0
    padding: dict[str, float] = field(default_factory=dict)
    prefix_difference: float = 0.0
    compile_s: float | None = None
    peaks: dict[str, int] = field(default_factory=dict)
    weights_bytes: int = 0

    def note(self, what: str, programs_a_second: float) -> None:
        """One round's rate of one contender."""
        self.rates.setdefault(what, []).append(programs_a_second)

    def ratio(self, one: str, other: str) -> list[float]:
        """How many times the other's rate the one's is, round by round; nothing where one was not measured."""
        pairs = zip(self.rates.get(one, []), self.rates.get(other, []), strict=False)
        return [left / right for left, right in pairs]

    def over_bare(self, one: str) -> list[float]:
        """The same over the bare model's faster way, passes in turn or side by side."""
        fastest = list(map(max, self.rates[BARE], self.rates[SIDE]))
        return [left / right for left, right in zip(self.rates[one], fastest, strict=True)]

    def fractions(self, rooflines: Sequence[float]) -> list[float]:
        """Of the roofline, what the bare model reached."""
        pairs = zip(self.rates[BARE], rooflines, strict=True)
        return [rate * self.gflop_a_program / roofline for rate, roofline in pairs]


def page(found: Findings) -> str:
    """Everything, on one page."""
    return "\n\n".join("\n".join(part) for part in (_setting(found), _rates(found), _sizes(found), _targets(found)))


def _setting(found: Findings) -> Iterable[str]:
    for fields in (found.machine, found.options, found.model):
        yield ", ".join(
            f"{name}: {value:,}" if isinstance(value, int) else f"{name}: {value}" for name, value in fields.items()
        )
    yield f"plain float32 product of 2,048 × 2,048: {spread(found.plain_gflops)} GFLOP/s"
    yield f"packed float32 product, 1,024 × 768 × 3,072: {spread(found.packed_gflops)} GFLOP/s"
    if INFINITY not in found.rates:
        yield "infinity-emb: skipped, no --infinity"


def _rates(found: Findings) -> Iterable[str]:
    yield f"{'each round runs each in turn':<48} {'programs/s':>22} {'over the bare model':>24} {'GFLOP/s':>9}"
    for what, rates in found.rates.items():
        compared = what not in (ONCE, PREFIXES, FLOOR)
        over = spread(found.ratio(what, BARE), ".2f") if compared else ""
        work = f"{statistics.median(rates) * found.gflop_a_program:.0f}" if compared and what != INFINITY else ""
        yield f"{what:<48} {spread(rates, '.1f'):>22} {over:>24} {work:>9}"


def _sizes(found: Findings) -> Iterable[str]:
    for how, share in found.padding.items():
        yield f"padding, {how}: {share:.1%}"
    yield f"largest difference between a score in one pass and alone: {found.prefix_difference:.1e}"
    if found.compile_s is not None:
        yield f"torch.compile: ready after {found.compile_s:.0f} s"
    for what, peak in found.peaks.items():
        yield f"peak resident, {what}: {peak / MB:.0f} MB (float32 weights: {found.weights_bytes / MB:.0f} MB)"


def _targets(found: Findings) -> Iterable[str]:
    yield "targets"
    roofline = max(found.plain_gflops, found.packed_gflops, key=lambda values: sum(values))
    yield _target(">= 75% of a plain float32 product", found.fractions(found.plain_gflops), 0.75)
    yield _target(">= 75% of the faster product, packed or plain", found.fractions(roofline), 0.75)
    yield _target("HTTP batch >= 0.85 of the bare model at its best", found.over_bare(BATCH), 0.85)
    yield _line("  in batches of 16 at once, as the trainer asks", "", spread(found.over_bare(TRAINERS), ".2f"))
    yield _target("HTTP singles at once >= 0.85 of it", found.over_bare(SINGLES), 0.85)
    yield _target("64 calls at once >= 5x serial ones", found.ratio(SINGLES, SERIAL), 5.0)
    yield _line("  without any HTTP on either side it is", "", spread(found.ratio(SIDE, ALONE), ".2f"))
    yield _target("one pass >= 9x a pass a line", found.ratio(ONCE, PREFIXES), 9.0)
    yield _target("int8 >= 1.4x float32, passes in turn", found.ratio(INT8, BARE), 1.4)
    yield _target("int8 >= 1.4x float32, side by side", found.ratio(f"{INT8}, {BY_SIDE}", SIDE), 1.4)
    yield _target("programs/s >= infinity-emb's", found.ratio(BATCH, INFINITY), 1.0)
    if found.peaks:
        above = next(iter(found.peaks.values())) - found.weights_bytes
        verdict = "met" if above <= 500 * MB else "NOT MET"
        yield _line("peak resident <= weights + 500 MB", verdict, f"weights + {above / MB:.0f} MB")
    share = found.padding["sorted"]
    yield _line("padding <= 10%", "met" if share <= 0.1 else "NOT MET", f"{share:.1%}")


def _target(name: str, values: Sequence[float], bound: float) -> str:
    """Judged by the median of the rounds."""
    if not values:
        return _line(name, "not measured", "")
    middle = statistics.median(values)
    return _line(name, "met" if middle >= bound else "NOT MET", spread(values, ".2f"))


def _line(name: str, verdict: str, what: str) -> str:
    return f"  {name:<50} {verdict:<13} {what}".rstrip()
