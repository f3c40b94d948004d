"""Programs in a report, each line on the colour of its score, with the score beside it.

Colour alone says nothing that the number does not: orange is a low score, blue a high one, white lies between.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from services.contracts import split_steps
from trainer.samples import Sample

_LOW, _MIDDLE, _HIGH = (247, 196, 163), (255, 255, 255), (170, 210, 236)

KEY = (
    f'<p class=key>A line’s number is the PRM’s score of it: <i style="background:rgb{_LOW}">0</i> surely wrong, '
    f'<i style="background:rgb{_HIGH}">1</i> surely right. Lines without a number have none.</p>'
)


def program(name: str, steps: Sequence[tuple[str, float | None]], verdict: str | None) -> str:
    """A program under its name and verdict; `steps` are its lines with their scores."""
    kind = "pass" if verdict == "accepted" else "fail"
    lines = "".join(_line(text, score) for text, score in steps) or _line("(empty)", None)
    title = f"<h3><span>{escape(name)}</span><span class={kind}>{escape(_in_words(verdict))}</span></h3>"
    return f"<div class=program>{title}<pre>{lines}</pre></div>"


def task(prompt: str, programs: Sequence[str]) -> str:
    """A task and the programs that were written for it, side by side."""
    return f"<p class=task>{escape(prompt.strip())}</p><div class=programs>{''.join(programs)}</div>"


def steps_of(sample: Sample, code: str) -> list[tuple[str, float | None]]:
    """The lines of a sample's program with the scores it has."""
    scores = dict(sample.scores or [])
    return [(code[step.start : step.end], scores.get(step.end)) for step in split_steps(code)]


def shown_steps(steps: Sequence[Mapping[str, Any]]) -> list[tuple[str, float | None]]:
    """The same from `{"text": ..., "score": ...}` objects, which the demo's summary holds."""
    return [(step["text"], step["score"]) for step in steps]


def _line(text: str, score: float | None) -> str:
    if score is None:
        return f"<span><b></b>{escape(text)}</span>"
    colour = _mixed(_MIDDLE, _HIGH, 2 * score - 1) if score >= 0.5 else _mixed(_LOW, _MIDDLE, 2 * score)
    return f'<span style="background:rgb{colour}"><b>{score:.2f}</b>{escape(text)}</span>'


def _mixed(first: tuple[int, int, int], second: tuple[int, int, int], share: float) -> tuple[int, ...]:
    """The colour at `share` of the way from the first to the second."""
    return tuple(round(a + (b - a) * share) for a, b in zip(first, second, strict=True))


def _in_words(verdict: str | None) -> str:
    return "no verdict" if verdict is None else verdict.replace("_", " ")
