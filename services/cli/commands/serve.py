"""`linewise serve scorer|executor|labeler|policy`: one service in this process, for containers and the supervisor."""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.errors import UsageError

if TYPE_CHECKING:
    from services.kit.settings import ServiceSettings

Host = Annotated[str, typer.Option(help="Address to listen on; a public one wants LINEWISE_API_KEYS.")]
Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        metavar="[NAME=]DIR",
        help="A checkpoint folder to serve; again for each further model. The first is the default one.",
    ),
]

_EPILOG = """
  linewise serve executor --port 8002

  linewise serve scorer --model runs/demo/prm

  linewise serve scorer --model small=runs/small --model large=runs/large
"""


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    group = typer.Typer(help="Run one service in the foreground.", epilog=_EPILOG, no_args_is_help=True)
    group.command("scorer", help="Scores for every line of a program, from the checkpoints given.")(_scorer)
    group.command("executor", help="Verdicts for programs and their tests.")(_executor)
    group.command("labeler", help="Labelling jobs; wants Redis, and a `linewise worker` to do them.")(_labeler)
    group.command("policy", help="Completions of a policy, for `label --teacher rollout`.")(_policy)
    app.add_typer(group, name="serve")


def _scorer(
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8001,
    model: Models = None,
) -> None:
    from services.scorer.settings import ModelSource, ScorerSettings

    sources = tuple(ModelSource.parse(text) for text in model or ())
    require_checkpoints([source.folder for source in sources])
    settings = ScorerSettings(models=sources) if sources else ScorerSettings()
    _serve("scorer", host, port, settings)


def _executor(
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8002,
) -> None:
    from services.executor.settings import ExecutorSettings

    _serve("executor", host, port, ExecutorSettings())


def _labeler(
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8003,
) -> None:
    from services.labeler.settings import LabelerSettings

    _serve("labeler", host, port, LabelerSettings())


def _policy(
    folder: Annotated[Path, typer.Argument(help="A policy's checkpoint folder.", metavar="DIR")],
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8004,
    threads: Annotated[int, typer.Option(min=1, help="Threads that compute.")] = 1,
) -> None:
    import torch

    from services.cli.policy_server.app import create_app
    from services.kit.server import bind, refuse_open_door, run
    from services.kit.settings import ServiceSettings

    settings = ServiceSettings()
    refuse_open_door(host, settings)
    bind(host, port).close()
    torch.set_num_threads(threads)
    run(create_app(folder, settings), host=host, port=port, settings=settings)


def _serve(name: str, host: str, port: int, settings: "ServiceSettings") -> None:
    """Refuse what cannot be before anything slow is loaded, then serve until a signal."""
    from services.kit.server import bind, refuse_open_door, run

    refuse_open_door(host, settings)
    bind(host, port).close()
    app = import_module(f"services.{name}.app").create_app(settings)
    run(app, host=host, port=port, settings=settings)


def require_checkpoints(folders: list[Path]) -> None:
    """Raise `UsageError` for the first folder that holds no checkpoint."""
    for folder in folders:
        if not (folder / "config.json").is_file():
            raise UsageError(
                f"no checkpoint in {folder}: it must be a Hugging Face token-classification folder "
                "(`linewise train prm` makes one)."
            )
