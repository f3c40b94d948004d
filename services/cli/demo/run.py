"""The demo from beginning to end: which services run during which phase, and what is told afterwards.

Each phase is done once (`ledger`), so a demo that was stopped goes on where it was. Services run only while a phase
needs them.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from services.cli.atomic_file import written_whole
from services.cli.console import say
from services.cli.data_dir import owned
from services.cli.demo.beside import beside
from services.cli.demo.ledger import Ledger
from services.cli.demo.phases import Phases
from services.cli.demo.plan import DemoPlan
from services.cli.demo.summary import summarise
from services.cli.ports import preferred_or_free
from services.cli.running import running
from services.cli.stack import Stack, redis_url_from_environment
from trainer.report import write_report

Urls = Callable[[], Mapping[str, str]]


def run_demo(
    plan: DemoPlan, folder: Path, *, prm_folder: Path, services: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Do what is left of the demo in `folder`, write `summary.json` and `report.html`, return the summary.

    `services` are URLs by name of services that run; unless given, a phase starts those that it needs.

    Raises:
        UsageError: another demo runs there, or a service does not start.
        FailedError: a labelling job failed, or the services' scorer does not see `prm_folder`.
    """
    with owned(folder):
        ledger = Ledger(folder / "phases", plan, say)
        phases = Phases(plan, folder, prm_folder)
        with _supervised_policy(ledger, phases) as policy:
            with _urls(services, lambda: _labelling_stack(folder)) as urls:
                _label(ledger, phases, urls)
            ledger.once("prm", phases.train_prm)
            ledger.once("sft", policy)
        with _urls(services, lambda: _judging_stack(folder, phases.prm_folder)) as urls:
            ledger.once("serve", lambda: (phases.load_prm if services else phases.check_scorer)(urls()))
            _reinforce(ledger, phases, urls)
        summary = summarise(plan, folder, ledger)
        with written_whole(folder / "summary.json") as file:
            json.dump(summary, file, indent=2, ensure_ascii=False, allow_nan=False)
        write_report(folder)
    return summary


def _label(ledger: Ledger, phases: Phases, urls: Urls) -> None:
    ledger.once("label-mbpp", lambda: phases.label("mbpp", phases.plan.mbpp, urls()["labeler"]))
    ledger.once("label-lists", lambda: phases.label("lists", phases.plan.lists, urls()["labeler"]))


def _reinforce(ledger: Ledger, phases: Phases, urls: Urls) -> None:
    ledger.once("evaluate-before", lambda: phases.evaluate("sft", urls()))
    ledger.once("ppo", lambda: phases.train_ppo(urls()))
    ledger.once("evaluate-after", lambda: phases.evaluate("ppo", urls()))
    ledger.once("samples", lambda: phases.show(urls()))


@contextmanager
def _supervised_policy(ledger: Ledger, phases: Phases) -> Iterator[Callable[[], dict[str, Any]]]:
    """Train the policy beside the block, unless that is done; the function waits for it and returns its figures."""
    if ledger.finished("sft"):
        yield phases.sft_result
        return
    say("sft runs beside the next phases, for it needs nothing of theirs.")
    with beside("sft", phases.sft_command(), phases.folder / "services" / "logs") as wait:

        def policy() -> dict[str, Any]:
            wait()
            return phases.sft_result()

        yield policy


@contextmanager
def _urls(services: Mapping[str, str] | None, make: Callable[[], Stack]) -> Iterator[Urls]:
    """A function that returns the URLs of `services`, or of a stack that it starts when first called.

    The stack ends with the block.
    """
    if services is not None:
        yield lambda: services
        return
    with ExitStack() as started:

        @cache
        def urls() -> Mapping[str, str]:
            stack = make()
            started.enter_context(running(stack))
            return stack.urls

        yield urls


def _labelling_stack(folder: Path) -> Stack:
    """Executor, Redis, worker and labeler; their data stays in the folder, so an interrupted job goes on."""
    data_dir = folder / "services"
    data_dir.mkdir(exist_ok=True)
    return Stack(
        data_dir=data_dir,
        executor_port=preferred_or_free(8002),
        labeler_port=preferred_or_free(8003),
        redis_url=redis_url_from_environment(),
    )


def _judging_stack(folder: Path, prm: Path) -> Stack:
    """Executor, and scorer with the PRM."""
    return Stack(
        data_dir=folder / "services",
        executor_port=preferred_or_free(8002),
        scorer_port=preferred_or_free(8001),
        models=[f"prm={prm}"],
    )
