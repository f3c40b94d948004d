"""`report.html`: a run's figures, curves and programs on one page that opens offline.

`write_report` looks at what a run's folder holds and shows that: `summary.json`, `metrics.jsonl`, a PRM's
`held_out.json` and `first_error.json`, an evaluation's `samples.jsonl`, the settings. A folder whose summary has an
`evaluation` with a before and an after is a demo, told as one story (`report_demo`). Leaves out anything that would
have to be computed anew.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trainer.plots import curves
from trainer.problems import load_problems
from trainer.problems.files import read_models
from trainer.report_data import TITLES, RunFiles, scalars
from trainer.report_demo import demo_lead, demo_sections
from trainer.report_page import Section, duration, figures_table, folded, page, paragraph, side_by_side, table
from trainer.report_prm import first_error_body, held_out_body, probe_curves
from trainer.report_programs import KEY, program, steps_of, task
from trainer.report_signs import signs_body
from trainer.runs import write_text
from trainer.samples import Sample, program_of

_SHOWN_TASKS = 6


def write_report(run_dir: Path) -> Path:
    """Write `report.html` into a run's folder and return its path; what the folder lacks, the report leaves out."""
    files = RunFiles.read(run_dir)
    if "evaluation" in files.summary:
        title, lead, sections = "Process rewards, end to end", demo_lead(files), demo_sections(files)
    else:
        title, lead, sections = f"Run {run_dir.resolve().name}", _lead(files), _run_sections(files)
    return write_text(run_dir / "report.html", page(title, lead, sections))


def _lead(files: RunFiles) -> str:
    took = files.summary.get("seconds")
    lead = (
        f"{files.phase}, {duration(took)} on {files.machine}." if isinstance(took, int | float) else f"{files.phase}."
    )
    return " ".join(filter(None, [lead, files.summary.get("note")]))


def _run_sections(files: RunFiles) -> list[Section]:
    sections = [
        Section("Figures", figures_table(scalars(files.summary))) if files.summary else None,
        Section("Signs of failure", signs_body(files.metrics, files.config)) if files.is_ppo else None,
        _curves(files),
        Section("On held-out problems", held_out_body(files.held_out)) if files.held_out else None,
        Section("The first wrong step", first_error_body(files.first_error)) if files.first_error else None,
        Section("Best of n", picks_body(files.summary["picks"])) if files.summary.get("picks") else None,
        _programs(files),
        Section("Settings", settings_body(files)),
    ]
    return [section for section in sections if section]


def _curves(files: RunFiles) -> Section | None:
    if not files.metrics:
        return None
    panels = probe_curves(files.metrics) if "prm/layers" in files.metrics[0] else metric_curves(files.metrics)
    return Section("Curves", side_by_side(panels))


def metric_curves(metrics: Sequence[Mapping[str, Any]]) -> list[str]:
    """A panel for each metric that was logged."""
    logged = dict.fromkeys(name for line in metrics for name in line if name != "iteration")
    panels = []
    for name in logged:
        points = [(line["iteration"], line[name]) for line in metrics if line.get(name) is not None]
        if points:
            panels.append(
                curves(TITLES.get(name, name), {name: points}, "epoch" if name.startswith("prm/") else "iteration")
            )
    return panels


def picks_body(picks: Sequence[Mapping[str, Any]]) -> str:
    """How often the program passes that a rule picks among those sampled for a problem."""
    head = ("picked by", "problems", "share that passes", "95 % of it", "gain over random", "95 % of it")
    keys = ("rule", "problems", "share", "interval", "gain", "gain_interval")
    explained = paragraph(
        "One of a problem's sampled programs is picked by each rule. Random choice is pass@1, any the ceiling that no "
        "choice can pass. Intervals: bootstrap over problems; a gain is paired, on the same problems."
    )
    return explained + table(head, ([pick[key] for key in keys] for pick in picks))


def settings_body(files: RunFiles) -> str:
    """What was asked for, and on what it ran."""
    return folded("Settings", figures_table(files.config)) + folded("Environment", figures_table(files.environment))


def _programs(files: RunFiles) -> Section | None:
    """Programs of the first tasks of an evaluation: the greedy one, or a sampled one."""
    path = files.folder / "samples.jsonl"
    if not path.exists():
        return None
    problems = {problem.id: problem for problem in load_problems(files.config["problems"])}
    first: dict[str, Sample] = {}
    for sample in read_models(path, Sample):
        first.setdefault(sample.task_id, sample)
    parts = []
    for sample in list(first.values())[:_SHOWN_TASKS]:
        problem = problems[sample.task_id]
        steps = steps_of(sample, program_of(problem, sample.completion))
        parts.append(task(problem.prompt, [program(f"{sample.task_id}, {sample.kind}", steps, sample.verdict)]))
    has_scores = any(sample.scores for sample in first.values())
    return Section("Programs", (KEY if has_scores else "") + "".join(parts))
