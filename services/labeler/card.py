"""The data card of a job: what its labels are, how many, how far to trust them, and how to make them again.

Markdown under a head of metadata as Hugging Face's hub reads it. It is rendered from counts, so its size does not
grow with the job's; what strangers wrote into it (names, ids, reasons) is text and never markup.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from services.contracts import Job, KilledBy, Origin, Outcome, Rejected, Teaching
from services.labeler.storage import ProgramCount, SplitCount

_ALIGNED_LEFT = 2
_SHOWN_REJECTIONS = 200
_KEPT_PRIVATE = {"base_url", "api_key_env"}
_MARKUP = re.compile(r"([\\`*{}\[\]<>|~$&]|(?<!\w)_|_(?!\w))")
_RULES = """\
A record is one program. A *reference* is the problem's own solution: all its steps are positive. A *refactoring*
that passes every test is positive too. A *mutation* that a test kills has a negative changed step, positive steps
before it and no labels behind it. A mutation that survives every test is **unknown** and not exported: surviving
proves little.
Comments and blank lines have no label. The tests are each problem's own and new ones that the reference answered."""


def render_card(
    job: Job, recipe: Mapping[str, Any], programs: Sequence[ProgramCount], splits: Sequence[SplitCount]
) -> str:
    """The card of `job`; of one that runs still, as far as it is."""
    parts = [
        _head(recipe),
        f"# Labels of {plain(job.name)}",
        _about(job, recipe),
        "## What a label means\n\n" + _RULES,
        "## Splits\n\nBy a hash of the problem's id, so that no problem is in two.\n\n" + _splits(programs, splits),
        "## Operators\n\n" + _operators(programs),
        "## Verdicts\n\n" + _verdicts(programs),
        "## How noisy they are\n\n" + _noise(programs, splits),
        *_teaching(job.teaching),
        "## Rejected problems\n\n" + _rejected(job.rejected),
        "## How they were made\n\n" + _settings(job, recipe),
    ]
    return "\n\n".join(parts) + "\n"


def plain(text: object) -> str:
    """`text` in one line, with everything that Markdown or HTML would read as more than text escaped."""
    return _MARKUP.sub(r"\\\1", " ".join(str(text).split()))


def _head(recipe: Mapping[str, Any]) -> str:
    license_ = recipe.get("license")
    lines = ["tags:", "- code", "- process-reward-model", "- linewise"]
    if license_:
        lines.insert(0, f"license: {json.dumps(str(license_).lower())}")
    return "\n".join(["---", *lines, "---"])


def _about(job: Job, recipe: Mapping[str, Any]) -> str:
    labels = job.labels
    license_ = recipe.get("license")
    ended = f", ended {job.finished_at:%Y-%m-%d %H:%M} UTC" if job.finished_at else ""
    return (
        f"{labels.positive + labels.negative:,} labelled steps ({labels.positive:,} positive, {labels.negative:,} "
        f"negative) of {job.problems.total:,} problems. Job `{job.id}`: {job.status}, begun "
        f"{job.created_at:%Y-%m-%d %H:%M} UTC{ended}.\n\n"
        f"Licence of the problems: {plain(license_) if license_ else 'not told to the labeler; ask their source'}."
    )


def _splits(programs: Sequence[ProgramCount], splits: Sequence[SplitCount]) -> str:
    labelled = _count((one for one in programs if one.labelled), lambda one: one.split)
    rows = [
        (one.split, one.problems, one.rejected, labelled[one.split], one.positive, one.negative, one.new_tests)
        for one in splits
    ]
    total = ("all", *(sum(column) for column in list(zip(*rows, strict=True))[1:]))
    heads = ("split", "problems", "rejected", "programs with labels", "positive steps", "negative steps", "new tests")
    return _table(heads, [*rows, total], left=1)


def _operators(programs: Sequence[ProgramCount]) -> str:
    changed = [one for one in programs if one.origin != Origin.REFERENCE]
    names = dict.fromkeys((one.origin, one.operator or "") for one in changed)
    counts = _count(changed, lambda one: (one.origin, one.operator or "", one.outcome))
    labelled = _count((one for one in changed if one.labelled), lambda one: (one.origin, one.operator or ""))
    rows = []
    for origin, operator in names:
        outcomes = [counts[origin, operator, outcome] for outcome in (*Outcome, None)]
        rows.append((origin, plain(operator), sum(outcomes), *outcomes, labelled[origin, operator]))
    heads = ("origin", "operator", "programs", *(outcome.value for outcome in Outcome), "not judged", "with labels")
    return _table(heads, rows)


def _verdicts(programs: Sequence[ProgramCount]) -> str:
    run = [one for one in programs if one.verdict and one.origin != Origin.REFERENCE]
    counts = _count(run, lambda one: (one.origin, one.verdict, one.killed_by))
    verdicts = dict.fromkeys((one.origin, one.verdict) for one in run)
    rows = [
        (origin, verdict, *(counts[origin, verdict, killed_by] for killed_by in (None, *KilledBy)))
        for origin, verdict in verdicts
    ]
    return _table(("origin", "verdict", "by none", "by the problem's own tests", "by new tests"), rows)


def _noise(programs: Sequence[ProgramCount], splits: Sequence[SplitCount]) -> str:
    def share(part: int, whole: int) -> str:
        return f"{part:,} of {whole:,}" + (f" ({100 * part / whole:.1f} %)" if whole else "")

    count = _count(programs, lambda one: (one.origin, one.outcome))
    by_new_tests = _count(programs, lambda one: (one.origin, one.killed_by))[Origin.MUTATION, KilledBy.AUGMENTED]
    killed, survived = (count[Origin.MUTATION, outcome] for outcome in (Outcome.KILLED, Outcome.SURVIVED))
    failed, passed = (count[Origin.REFACTORING, outcome] for outcome in (Outcome.KILLED, Outcome.SURVIVED))
    judged = [one for one in programs if one.origin != Origin.REFERENCE]
    unjudged = sum(one.programs for one in judged if one.outcome is None)
    unaided, done = (sum(getattr(one, name) for one in splits) for name in ("unaided", "done"))
    return "\n".join(
        [
            f"- Mutants that passed the problem's own tests and were killed by new ones: "
            f"{share(by_new_tests, by_new_tests + survived)}. Without the new tests these would count as survivors.",
            f"- Unknown, mutants that survived all tests: {share(survived, killed + survived)}. None is exported.",
            f"- Refactorings that failed a test, so were none: {share(failed, failed + passed)}.",
            f"- Finished problems without any new test: {share(unaided, done)}.",
            f"- Programs never judged, for the executor kept failing at them: {unjudged:,}. None is exported.",
        ]
    )


def _teaching(teaching: Teaching) -> list[str]:
    """What models were asked and what it cost; no section where none teaches."""
    if not (teaching.questions or teaching.requests):
        return []
    lines = [
        f"- Questions of finished problems: {teaching.questions:,}; {teaching.unanswered:,} of them unanswered.",
        f"- Replies, and programs in replies, that no label could be made of: {teaching.malformed:,}.",
        f"- Paid for by this job: {teaching.requests:,} requests, {teaching.prompt_tokens:,} prompt tokens and "
        f"{teaching.completion_tokens:,} completion tokens. Replies known from another job cost nothing.",
        f"- Cost at the prices that the job told: {teaching.cost:,.4f}.",
    ]
    return ["## What its teachers cost\n\n" + "\n".join(lines)]


def _rejected(rejected: Sequence[Rejected]) -> str:
    if not rejected:
        return "None."
    table = _table(("problem", "reason"), [(plain(one.id), plain(one.reason)) for one in rejected[:_SHOWN_REJECTIONS]])
    more = len(rejected) - _SHOWN_REJECTIONS
    return table if more <= 0 else f"{table}\n\nAnd {more:,} more, which `GET /jobs/{{id}}` lists."


def _settings(job: Job, recipe: Mapping[str, Any]) -> str:
    versions = recipe.get("versions", {})
    asked = {name: value for name, value in recipe.items() if name not in ("versions", "license")}
    rows = [(plain(name), plain(_shown(value))) for name, value in asked.items()]
    made_with = [(plain(name), plain(value)) for name, value in versions.items()] or [("versions", "not recorded")]
    return _table(("setting", "value"), [*rows, *made_with])


def _shown(value: Any) -> str:
    """A setting as JSON, without where a teacher lives and which variable holds its key."""
    return json.dumps(_public(value), ensure_ascii=False) if isinstance(value, (dict, list)) else str(value)


def _public(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _public(item) for name, item in value.items() if name not in _KEPT_PRIVATE}
    return [_public(item) for item in value] if isinstance(value, list) else value


def _count(programs: Iterable[ProgramCount], key: Callable[[ProgramCount], Any]) -> Counter[Any]:
    counts: Counter[Any] = Counter()
    for one in programs:
        counts[key(one)] += one.programs
    return counts


def _table(heads: Sequence[str], rows: Sequence[Sequence[object]], *, left: int = _ALIGNED_LEFT) -> str:
    if not rows:
        return "None."
    marks = [" --- " if at < left else " ---: " for at in range(len(heads))]
    cells = [[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in rows]
    return "\n".join(["| " + " | ".join(heads) + " |", "|" + "|".join(marks) + "|", *map(_row, cells)])


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
