"""Programs of a report, before and after: what each policy finds likeliest for a few held-out tasks, line by line.

The tasks are the first whose programs are not all the same. The scorer says what it makes of their lines.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from services.contracts import Problem
from trainer.judging import Program, RewardSource, ask_once
from trainer.problems import load_problems
from trainer.problems.files import read_models
from trainer.remote import RemoteRewards
from trainer.report_page import paragraph
from trainer.report_programs import KEY, program, steps_of, task
from trainer.samples import Sample, program_of

_SHOWN_TASKS = 6

Written = tuple[Problem, str, Sample]
"""A problem, the policy's name and its program."""


def programs_body(problems: str, evaluations: Mapping[str, Path], scorer_url: str) -> str:
    """The greedy programs of the evaluations in these folders, by name, side by side; HTML."""
    greedy = {name: _greedy(folder) for name, folder in evaluations.items()}
    tasks = []
    for problem in load_problems(problems):
        written = [(problem, name, each[problem.id]) for name, each in greedy.items() if problem.id in each]
        if len({sample.completion for _, _, sample in written}) > 1:
            tasks.append(written)
    if not tasks:
        return paragraph("All policies write the same programs.")
    with RemoteRewards("process", scorer_url=scorer_url) as scorer:
        return KEY + "".join(_task(written, scorer) for written in tasks[:_SHOWN_TASKS])


def _task(written: Sequence[Written], scorer: RewardSource) -> str:
    """One task with its programs; a program that the scorer does not answer for has no scores."""
    programs = [Program(problem, program_of(problem, sample.completion)) for problem, _, sample in written]
    shown = []
    for asked, scored, (_, name, sample) in zip(programs, ask_once(scorer, programs).wait(), written, strict=True):
        scores = [(step.end, step.score) for step in scored.steps or ()] if scored else None
        steps = steps_of(sample.model_copy(update={"scores": scores}), asked.code)
        shown.append(program(name, steps, sample.verdict))
    return task(written[0][0].prompt, shown)


def _greedy(folder: Path) -> dict[str, Sample]:
    samples = read_models(folder / "samples.jsonl", Sample)
    return {sample.task_id: sample for sample in samples if sample.kind == "greedy"}
