"""`linewise score FILE --prompt ...`: a program's lines, each with the probability that it is right so far."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from services.cli.errors import UsageError

if TYPE_CHECKING:
    from services.contracts import ScoreReply, ScoreRequest

_HELP = "Score every line of a program with the scorer's PRM."

_EPILOG = """
  linewise score add.py --prompt "Write a function to add two numbers."

  linewise score add.py --prompt-file task.txt --segment statement --json
"""


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("score", help=_HELP, epilog=_EPILOG)(_score)


def _score(
    file: Annotated[Path, typer.Argument(help="The program.", show_default=False)],
    prompt: Annotated[str | None, typer.Option(help="What the program should do.", show_default=False)] = None,
    prompt_file: Annotated[Path | None, typer.Option(help="The same, in a file.", show_default=False)] = None,
    segment: Annotated[Literal["line", "statement", "block"], typer.Option(help="What gets a score.")] = "line",
    model: Annotated[str | None, typer.Option(help="A model of the scorer.", show_default="its default")] = None,
    url: Annotated[str | None, typer.Option(help="The scorer.", show_default="LINEWISE_SCORER_URL")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the reply as JSON.")] = False,
) -> None:
    from services.cli.console import put, stdout
    from services.cli.score_table import score_table
    from services.cli.text_files import read_text
    from services.contracts import ScoreRequest, Segment

    if (prompt is None) == (prompt_file is None):
        raise UsageError("give either --prompt or --prompt-file.")
    text = read_text(prompt_file) if prompt_file else prompt or ""
    code = read_text(file)
    reply = asyncio.run(_ask(ScoreRequest(prompt=text, code=code, segment=Segment(segment), model=model), url))
    if json:
        put(reply.model_dump_json(indent=2))
    else:
        stdout().print(score_table(code, reply))


async def _ask(request: "ScoreRequest", url: str | None) -> "ScoreReply":
    from services.cli.patience import PATIENCE
    from services.client import ScorerClient

    async with ScorerClient(url, retry=PATIENCE) as client:
        return await client.score(request)
