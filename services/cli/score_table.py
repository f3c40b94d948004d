"""A scored program for people: each step on the colour between red (0) and green (1) that its score asks for."""

from rich.table import Table
from rich.text import Text

from services.contracts import ScoreReply


def score_table(code: str, reply: ScoreReply) -> Table:
    """The steps of `code` with their scores, and the aggregates below."""
    table = Table("line", "score", "code", title=f"scored by {reply.model}", caption=_aggregates(reply))
    for step in reply.steps:
        colour = "dim" if step.score is None else colour_of(step.score)
        score = "" if step.score is None else f"{step.score:.2f}"
        table.add_row(
            str(step.first_line), Text(score, colour), Text(code[step.start : step.end].expandtabs(4), colour)
        )
    return table


def colour_of(score: float) -> str:
    """A rich style: red at 0, yellow at one half, green at 1."""
    red = min(1.0, 2 - 2 * score)
    green = min(1.0, 2 * score)
    return f"rgb({round(40 + 180 * red)},{round(40 + 160 * green)},60)"


def _aggregates(reply: ScoreReply) -> str:
    figures = reply.aggregate.model_dump()
    return "  ".join(f"{name} {value:.3f}" for name, value in figures.items() if value is not None)
