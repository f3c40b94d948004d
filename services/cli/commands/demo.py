"""`linewise demo`: the whole method on this machine."""

import shutil
from pathlib import Path
from typing import Annotated

import typer

_HELP = "Label, train a PRM, serve it, fine-tune a policy, run PPO with a reward at every line, evaluate, report."

_EPILOG = """
  linewise demo                under twelve minutes on two cores

  linewise demo --tiny         the same path in about a minute; its figures mean nothing

  linewise demo --url http://house --prm-dir /models/prm

With `--url` nothing is started: services that run elsewhere are asked, and the scorer is told to load the PRM from the
folder `--prm-dir`, which it must see under the same name. `--url NAME=URL` says it for one service.

A demo that was stopped goes on where it was. Afterwards: linewise up --model runs/demo/prm
"""


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("demo", help=_HELP, epilog=_EPILOG)(_demo)


def _demo(
    run_dir: Annotated[Path, typer.Option(help="Where everything goes.")] = Path("runs/demo"),
    seed: Annotated[int, typer.Option(help="Seed of every random choice.")] = 0,
    tiny: Annotated[bool, typer.Option("--tiny", help="Small numbers everywhere.")] = False,
    url: Annotated[
        list[str] | None,
        typer.Option(metavar="[SERVICE=]URL", help="Use services that run: a host with the usual ports, or one each."),
    ] = None,
    prm_dir: Annotated[
        Path | None,
        typer.Option(help="Where the PRM goes, a folder that the scorer serves.", show_default="RUN_DIR/prm"),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget what an earlier demo left in the folder.")] = False,
) -> None:
    from services import tracing
    from services.cli.console import say, stdout
    from services.cli.data_dir import owned
    from services.cli.demo.elsewhere import service_urls
    from services.cli.demo.plan import full_plan, tiny_plan
    from services.cli.demo.run import run_demo
    from services.cli.demo.table import final_tables

    tracing.configure("linewise-trainer")
    if fresh and run_dir.exists():
        with owned(run_dir):
            shutil.rmtree(run_dir)
    try:
        summary = run_demo(
            tiny_plan(seed) if tiny else full_plan(seed),
            run_dir,
            prm_folder=prm_dir or run_dir / "prm",
            services=service_urls(url) if url else None,
        )
    except KeyboardInterrupt:
        say("stopped; `linewise demo` goes on where it was.")
        raise
    stdout().print(final_tables(summary))
    say(f"the report: {run_dir / 'report.html'}; the figures: {run_dir / 'summary.json'}.")
    say(f"serve the PRM: linewise up --model {prm_dir or run_dir / 'prm'}")
