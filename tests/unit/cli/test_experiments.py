"""What experiments derive and write: weaker tests' labels, tables, and arms that are not trained twice."""

import json
from pathlib import Path

import pytest

from services.cli.errors import UsageError
from services.cli.experiments.arms import PrmExperiment, checkpoint_of, trained
from services.cli.experiments.convergence import Convergence, convergence
from services.cli.experiments.findings import Findings, Grid, markdown, spread, write_findings
from services.cli.experiments.labels import label_file
from services.cli.experiments.outcome_labels import outcome_labels
from services.cli.experiments.teacher_agreement import TeacherAgreement, teacher_agreement
from services.cli.experiments.weaker_tests import killed, relabelled
from services.contracts import LabelRecord, Origin, StepLabel, Verdict, split_steps
from trainer.problems.files import write_jsonl


def record(problem: str, wrong: int | None, *, stray: str = " + 0") -> LabelRecord:
    """Three lines, of which line `wrong` is labelled wrong and shows it by a stray term."""
    lines = ["def f(x):", "    y = x + 1", "    return y"]
    if wrong is not None:
        lines[wrong] += stray
    code = "\n".join(lines) + "\n"
    labels = [None if wrong is not None and at > wrong else int(at != wrong) for at in range(3)]
    return LabelRecord(
        problem_id=problem,
        prompt=f"Add one. {problem}",
        code=code,
        origin=Origin.REFERENCE if wrong is None else Origin.MUTATION,
        operator=None if wrong is None else "stray",
        changed_step=wrong,
        steps=[
            StepLabel(start=step.start, end=step.end, label=label)  # type: ignore[arg-type]
            for step, label in zip(split_steps(code), labels, strict=True)
        ],
        verdict=Verdict.ACCEPTED if wrong is None else Verdict.WRONG_ANSWER,
    )


RECORDS = [record(f"p/{at}", wrong) for at in range(40) for wrong in (None, 1, 2)]


def test_what_fewer_tests_let_pass_is_unlabelled_or_positive() -> None:
    reference, found, passed = record("p/1", None), record("p/1", 1), record("p/1", 2)
    known = killed([reference, found])
    assert known == {("p/1", found.code)}
    assert list(relabelled([reference, found, passed], known, "unlabelled")) == [reference, found]
    *same, changed = relabelled([reference, found, passed], known, "positive")
    assert same == [reference, found]
    assert [step.label for step in changed.steps] == [1, 1, 1]
    assert [step.label for step in passed.steps] == [1, 1, 0]


def test_a_spread_is_of_all_seeds_or_of_none() -> None:
    assert str(spread([0.5, 0.7])) == "0.600 ± 0.141"
    assert str(spread([0.5])) == "0.500"
    assert spread([0.5, None]) is spread([]) is None


def test_findings_are_written_as_json_markdown_and_a_page(tmp_path: Path) -> None:
    rows = [["line", 0.8125, 1200], ["block", None, spread([0.5, 0.7])]]
    grid = Grid("Kinds <of> steps", ("step", "AUC", "count"), rows, "Read so.")
    findings = write_findings(Findings("Which?", "All of it.", [grid], tmp_path), PrmExperiment())
    assert json.loads((tmp_path / "figures.json").read_text())["Kinds <of> steps"][1] == {
        "step": "block",
        "AUC": None,
        "count": {"mean": 0.6, "deviation": pytest.approx(0.1414, abs=1e-4)},
    }
    assert (tmp_path / "report.md").read_text(encoding="utf-8") == markdown(findings)
    assert "| line | 0.812 | 1,200 |\n| block | – | 0.600 ± 0.141 |" in markdown(findings)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Kinds &lt;of&gt; steps" in page and "Read so." in page


def test_a_prm_is_trained_once_for_the_same_settings(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "labels.jsonl", RECORDS)
    experiment = PrmExperiment(backbone="tiny", epochs=1)
    config = experiment.prm(tmp_path, "arm", (tmp_path / "labels.jsonl",), seed=0)
    first = trained(config)
    made = (checkpoint_of(config) / "model.safetensors").stat().st_mtime_ns
    assert trained(config) == first
    assert (checkpoint_of(config) / "model.safetensors").stat().st_mtime_ns == made
    other = PrmExperiment(backbone="tiny", epochs=2).prm(tmp_path, "arm", (tmp_path / "labels.jsonl",), seed=0)
    assert trained(other)["epochs"] == 2


def test_teachers_that_are_files_are_compared_without_any_service(tmp_path: Path) -> None:
    files = tmp_path / "one.jsonl", tmp_path / "other.jsonl"
    write_jsonl(files[0], RECORDS)
    write_jsonl(files[1], [each for each in RECORDS if each.changed_step != 2])
    config = TeacherAgreement(
        teachers=tuple(map(str, files)), backbone="tiny", epochs=1, seeds=1, run_dir=tmp_path / "run"
    )
    agreement, transfer = teacher_agreement(config).grids
    steps, places = agreement.rows
    assert steps[1:3] == [160, 1.0]
    assert places[1:3] == [120, pytest.approx(2 / 3)]
    assert [row[0] for row in transfer.rows] == list(config.teachers)
    assert all(0 <= cell.mean <= 1 for row in transfer.rows for cell in row[1:])


def test_one_teacher_alone_is_refused() -> None:
    with pytest.raises(UsageError, match="two different"):
        teacher_agreement(TeacherAgreement(teachers=("rules", "rules")))


def test_an_outcome_model_is_taught_the_verdict_alone_on_the_last_line_of_code() -> None:
    right, wrong = record("p/1", None), record("p/1", 1)
    remark = "# done\n"
    remarked = right.model_copy(
        update={
            "code": right.code + remark,
            "steps": [*right.steps, StepLabel(start=len(right.code), end=len(right.code + remark) - 1)],
        }
    )
    unknown = right.model_copy(update={"verdict": None})
    found = list(outcome_labels([right, wrong, remarked, unknown]))
    assert [[step.label for step in each.steps] for each in found] == [
        [None, None, 1],
        [None, None, 0],
        [None, None, 1, None],
    ]


def test_a_prm_and_an_outcome_model_are_taught_by_the_same_growing_set_of_programs(tmp_path: Path) -> None:
    config = Convergence(
        problems="lists:train?count=2", backbone="tiny", epochs=1, seeds=1, shares=(1.0, 0.5), run_dir=tmp_path
    )
    file = label_file(tmp_path / "labels", "labels", config.job("convergence"))
    file.parent.mkdir()
    write_jsonl(file, RECORDS)
    figures, soon = convergence(config).grids
    assert [row[0] for row in figures.rows] == ["PRM", "PRM", "ORM", "ORM"]
    (half, all_problems), outcome = [row[1] for row in figures.rows[:2]], [row[1] for row in figures.rows[2:]]
    assert [half, all_problems] == outcome and half == pytest.approx(all_problems / 2, abs=1)
    assert [row[2] for row in figures.rows] == [3 * row[1] for row in figures.rows], "three programs a problem"
    assert figures.rows[3][3] == figures.rows[3][2], "a label a program"
    assert all(0 <= cell.mean <= 1 for row in figures.rows for cell in row[4:])
    assert [row[0] for row in soon.rows] == ["ROC-AUC of whole programs", "ROC-AUC of steps"]
    assert (tmp_path / "report.html").read_text(encoding="utf-8").count("<svg") == 2


def test_a_share_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="above 0"):
        convergence(Convergence(shares=(0.0, 1.0), run_dir=tmp_path))
