"""What the page shows of scored programs: rows, colours, figures, and errors as sentences. It knows no HTML.

The colour of a step is one of eleven levels on either side of one half, orange below and blue above, which
colour-blind readers can tell apart; the number beside it says all that the colour does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from services.contracts import ScoredStep, ScoreReply
from services.kit.errors import ServiceError
from services.kit.page_text import Part, as_sentence, visible

_LEVELS = 10
_MEANINGS = {
    "mean": "the average line",
    "min": "the weakest line",
    "product": "all lines multiplied",
    "last": "the last line",
    "softmin": "the weaker lines weigh more (PURE)",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A step: its physical lines (`3` or `3-5`), its text, its score, and whether the two programs part here."""

    lines: str
    parts: list[Part]
    score: float | None
    parts_ways: bool

    @property
    def colour(self) -> str:
        """Its classes in the style sheet."""
        if self.score is None:
            return "plain"
        side = "high" if self.score >= 0.5 else "low"
        return f"{side} l{round(abs(2 * self.score - 1) * _LEVELS)}"


@dataclass(frozen=True, slots=True)
class Figure:
    """An aggregate; `is_higher` than the other program's."""

    name: str
    meaning: str
    value: float | None
    is_higher: bool


@dataclass(frozen=True, slots=True)
class Program:
    """A program as it is shown."""

    name: str
    rows: list[Row]
    figures: list[Figure]
    weakest: Row | None
    tokens: int
    truncated: bool


def shown_programs(codes: Sequence[str], replies: Sequence[ScoreReply]) -> list[Program]:
    """One program, or two to compare."""
    texts = [[code[step.start : step.end] for step in reply.steps] for code, reply in zip(codes, replies, strict=True)]
    parting = _parting(texts)
    names = names_of(len(codes))
    figures = [reply.aggregate.model_dump() for reply in replies]
    shown = []
    for at, (name, reply) in enumerate(zip(names, replies, strict=True)):
        rows = [
            _row(step, text, parts_ways=step.index == parting)
            for step, text in zip(reply.steps, texts[at], strict=True)
        ]
        others = figures[1 - at] if len(figures) == 2 else {}
        scored = [(row.score, row) for row in rows if row.score is not None]
        weakest = min(scored, key=lambda pair: pair[0])[1] if scored else None
        shown.append(Program(name, rows, _figures(figures[at], others), weakest, reply.tokens, reply.truncated))
    return shown


def names_of(programs: int) -> list[str]:
    """What the programs are called on the page."""
    return ["Program A", "Program B"] if programs == 2 else ["Program"]


def sentence(error: ServiceError, names: Sequence[str]) -> str:
    """What went wrong and what to do, for a person; `names` are those of the programs that were sent."""
    details = error.details if isinstance(error.details, dict) else {}
    if error.code == "too_long" and {"tokens", "max_tokens"} <= details.keys():
        name = names[details.get("item", 0)]
        return (
            f"{name} is too long: with the task it has {details['tokens']:,} tokens, and this model takes "
            f"{details['max_tokens']:,}. Shorten it, or let the task's beginning go where the task is what is long."
        )
    if error.code == "overloaded":
        return "The scorer is busy and its queue is full. Your text is still here: try again in a moment."
    if error.code == "no_model":
        return "Nothing can be scored before a model is loaded. Your text is still here."
    return as_sentence(error.message)


def _row(step: ScoredStep, text: str, *, parts_ways: bool) -> Row:
    lines = str(step.first_line) if step.first_line == step.last_line else f"{step.first_line}-{step.last_line}"
    return Row(lines, visible(text.replace("\r\n", "\n").replace("\r", "\n")), step.score, parts_ways)


def _parting(texts: Sequence[Sequence[str]]) -> int | None:
    """The index of the first step that two programs do not share; None where they share none, or all."""
    if len(texts) != 2 or texts[0] == texts[1]:
        return None
    pairs = zip(*texts, strict=False)
    shared = next((at for at, (one, other) in enumerate(pairs) if one != other), min(map(len, texts)))
    return shared or None


def _figures(values: dict[str, float | None], others: dict[str, float | None]) -> list[Figure]:
    return [
        Figure(name, _MEANINGS.get(name, ""), value, _is_higher(value, others.get(name)))
        for name, value in values.items()
    ]


def _is_higher(value: float | None, other: float | None) -> bool:
    """Where people see it: in three digits."""
    return value is not None and other is not None and round(value, 3) > round(other, 3)
