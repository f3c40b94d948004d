"""How far teachers agree on the same steps, and how well a PRM of one teacher's labels judges another's."""

from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

from services.cli.errors import UsageError
from services.cli.experiments.arms import PrmExperiment, checkpoint_of, trained
from services.cli.experiments.findings import Findings, Grid, spread, write_findings
from services.cli.experiments.labels import label_files
from services.cli.teacher_options import read_teacher
from services.contracts import JobRequest, LabelRecord
from services.labeler.comparison import LabelSet, compare, gather
from trainer.prm_measure import measure_steps
from trainer.problems.files import read_models


@dataclass(frozen=True)
class TeacherAgreement(PrmExperiment):
    """Settings of `linewise experiment teacher-agreement`."""

    teachers: tuple[str, ...] = ("rules", "rules:1")
    """Teachers to compare: `rules`, `rules:SEED`, a teacher's YAML or JSON file, or a file of labels (JSONL)."""
    run_dir: Path = Path("runs/teacher-agreement")
    """Where labels, PRMs and report go."""


def teacher_agreement(config: TeacherAgreement) -> Findings:
    """Label with each teacher, compare all pairs, train PRMs on each and measure them on the others' labels.

    Raises:
        UsageError: fewer than two teachers, or one that cannot be read.
    """
    if len(set(config.teachers)) < 2:
        raise UsageError("--teachers wants at least two different ones.")
    given = {teacher: Path(teacher) for teacher in config.teachers if Path(teacher).suffix == ".jsonl"}
    jobs = {_slug(teacher): _job(config, teacher) for teacher in config.teachers if teacher not in given}
    made = label_files(config.run_dir / "labels", jobs)
    files = {teacher: given.get(teacher) or made[_slug(teacher)] for teacher in config.teachers}
    sets = {teacher: gather(read_models(file, LabelRecord)) for teacher, file in files.items()}
    grids = [_agreement(sets), _transfer(config, files)]
    lead = (
        f"{config.problems}. One teacher with two seeds (`rules` and `rules:1`) is the measure: nobody agrees with "
        "another teacher more than with himself."
    )
    return write_findings(Findings("How far do teachers agree?", lead, grids, config.run_dir), config)


def _job(config: TeacherAgreement, teacher: str) -> JobRequest:
    kind, _, seed = teacher.partition(":")
    name = f"teacher-{_slug(teacher)}"
    if kind == "rules":
        return config.job(name, seed=int(seed) if seed.isdecimal() else config.label_seed)
    return config.job(name, teacher=read_teacher(teacher, None, None, None, None))


def _slug(teacher: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in Path(teacher).stem)


def _agreement(sets: dict[str, LabelSet]) -> Grid:
    rows: list[list[Any]] = []
    for one, other in combinations(sets, 2):
        for name, labels in (("same steps", "steps"), ("places", "places")):
            found = compare(getattr(sets[one], labels), getattr(sets[other], labels))
            rows.append([f"{one}, {other}: {name}", found.compared, found.agreement, found.kappa])
    note = (
        "Same steps: the same text up to the step's end. Places: the steps of the references; negative where one of "
        "the teacher's changes there was proved wrong."
    )
    return Grid("Agreement", ("teachers", "compared", "agreement", "Cohen's kappa"), rows, note)


def _transfer(config: TeacherAgreement, files: dict[str, Path]) -> Grid:
    rows = []
    for teacher, labels in files.items():
        by_judged: dict[str, list[float | None]] = {other: [] for other in files}
        for seed in range(config.seeds):
            prm = config.prm(config.run_dir, _slug(teacher), (labels,), seed)
            trained(prm)
            for other, judged in files.items():
                reports = measure_steps(checkpoint_of(prm), replace(prm, labels=(judged,)))
                by_judged[other].append(reports["all"].roc_auc)
        rows.append([teacher, *map(spread, by_judged.values())])
    note = f"ROC-AUC on held-out steps, mean and standard deviation of {config.seeds} PRMs."
    return Grid("PRMs judged by each teacher's labels", ("learnt from", *files), rows, note)
