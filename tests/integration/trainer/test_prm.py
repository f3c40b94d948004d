"""A PRM learns a rule from label files, beats the majority, and is saved as anyone can load it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from fastapi import FastAPI
from transformers import AutoModelForTokenClassification, AutoTokenizer

from services.client import ScorerClient
from services.contracts import LabelRecord, Origin, Problem, ScoreRequest, StepKind, StepLabel, split_steps
from services.scorer.app import create_app
from services.scorer.settings import ScorerSettings
from trainer.errors import SettingsError
from trainer.prm import PrmConfig, PrmSummary, train_prm
from trainer.problems import ProblemFileError, load_problems
from trainer.problems.files import write_jsonl


def labelled(problem: Problem, wrong: int | None) -> LabelRecord:
    """The reference, or a program that adds a stray `+ 0` at the end of line `wrong`: a rule that can be learnt."""
    lines = problem.solution.splitlines()
    if wrong is not None:
        lines[wrong] += " + 0"
    code = "\n".join(lines) + "\n"
    labels = [None if wrong is not None and at > wrong else int(at != wrong) for at in range(len(lines))]
    return LabelRecord(
        problem_id=problem.id,
        prompt=problem.prompt,
        code=code,
        origin=Origin.REFERENCE if wrong is None else Origin.MUTATION,
        operator=None if wrong is None else "stray-zero",
        changed_step=wrong,
        steps=[
            StepLabel(start=step.start, end=step.end, label=label)
            for step, label in zip(split_steps(code), labels, strict=True)
        ],
    )


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two label files of 80 problems."""
    folder = tmp_path_factory.mktemp("labels")
    problems = load_problems("lists:train?count=80")
    for part, name in ((problems[:50], "a.jsonl"), (problems[50:], "b.jsonl")):
        write_jsonl(
            folder / name,
            (labelled(each, wrong) for each in part for wrong in (None, *range(1, len(each.solution.splitlines())))),
        )
    return folder / "a.jsonl", folder / "b.jsonl"


@pytest.fixture(scope="module")
def trained(labels: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, PrmSummary]:
    """A tiny PRM, trained for some seconds."""
    torch.set_num_threads(1)
    run = tmp_path_factory.mktemp("run")
    config = PrmConfig(labels=labels, backbone="tiny", run_dir=run, epochs=8, vocabulary=400, warmup_iterations=5)
    return run, train_prm(config)


def test_it_beats_the_majority_on_problems_that_it_never_saw(trained: tuple[Path, PrmSummary]) -> None:
    summary = trained[1]
    assert summary.accuracy > summary.majority + 0.15
    assert summary.roc_auc is not None and summary.roc_auc > 0.95
    assert summary.f1_negative > 0.8 and summary.f1_positive > 0.8


def test_no_problem_is_in_two_parts(trained: tuple[Path, PrmSummary]) -> None:
    summary = trained[1]
    assert summary.train_problems + summary.validation_problems + summary.held_out_problems == 80
    assert min(summary.validation_problems, summary.held_out_problems) > 0


def test_the_run_holds_config_metrics_reports_and_page(trained: tuple[Path, PrmSummary]) -> None:
    run, summary = trained
    assert json.loads((run / "config.json").read_text())["backbone"] == "tiny"
    assert json.loads((run / "summary.json").read_text())["accuracy"] == summary.accuracy
    metrics = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["iteration"] for line in metrics] == list(range(1, summary.epochs + 1))
    assert metrics[-1]["prm/loss"] < metrics[0]["prm/loss"]
    held_out = json.loads((run / "held_out.json").read_text())
    assert {"all", "uncalibrated", "changed", "set:lists", "origin:mutation", "operator:stray-zero"} <= set(held_out)
    assert "Reliability on held-out steps" in (run / "report.html").read_text(encoding="utf-8")


def test_the_checkpoint_loads_with_the_auto_classes_and_is_causal(trained: tuple[Path, PrmSummary]) -> None:
    checkpoint = trained[1].checkpoint
    assert {path.suffix for path in checkpoint.iterdir()} <= {".json", ".safetensors", ".jinja", ".txt"}
    model = AutoModelForTokenClassification.from_pretrained(checkpoint).eval()
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    assert model.config.id2label == {0: "negative", 1: "positive"}
    ids = torch.tensor([tokenizer("def f(xs):\n    return sum(xs)\n")["input_ids"]])
    changed = ids.clone()
    changed[0, 8:] = 5
    with torch.no_grad():
        before, after = model(ids).logits[0], model(changed).logits[0]
    assert torch.allclose(before[:8], after[:8], atol=1e-6)
    assert not torch.allclose(before[8:], after[8:], atol=1e-3)


def test_temperature_and_figures_travel_with_the_checkpoint(trained: tuple[Path, PrmSummary]) -> None:
    summary = trained[1]
    section = json.loads((summary.checkpoint / "config.json").read_text())["linewise"]
    assert section["temperature"] == summary.temperature
    assert section["metrics"]["accuracy"] == summary.accuracy


async def test_the_scorer_serves_it_and_finds_the_wrong_line(
    trained: tuple[Path, PrmSummary], serve: Callable[[FastAPI], str]
) -> None:
    url = serve(create_app(ScorerSettings(models=(f"prm={trained[1].checkpoint}",))))
    problem = load_problems("lists:test?count=1")[0]
    record = labelled(problem, wrong=2)
    async with ScorerClient(url) as client:
        reply = await client.score(ScoreRequest(prompt=problem.prompt, code=record.code))
    scores = [step.score for step in reply.steps if step.kind is StepKind.CODE and step.score is not None]
    assert scores.index(min(scores[:3])) == 2
    assert scores[2] < 0.5 < scores[0]


def test_time_ends_training(labels: tuple[Path, Path], tmp_path: Path) -> None:
    config = PrmConfig(labels=labels, backbone="tiny", run_dir=tmp_path, max_minutes=1e-4, vocabulary=400)
    summary = train_prm(config)
    assert (summary.epochs, summary.iterations) == (1, 1)


def test_the_checkpoint_goes_where_it_is_wanted(labels: tuple[Path, Path], tmp_path: Path) -> None:
    config = PrmConfig(
        labels=labels[1:],
        backbone="tiny",
        run_dir=tmp_path / "run",
        checkpoint=tmp_path / "prm",
        epochs=1,
        vocabulary=300,
        programs_per_problem=2,
        held_out=0.3,
        validation=0.3,
        balanced=False,
        language_weight=0.0,
    )
    assert train_prm(config).checkpoint == tmp_path / "prm"
    assert (tmp_path / "prm" / "model.safetensors").is_file()


def test_a_checkpoint_never_replaces_the_run(labels: tuple[Path, Path], tmp_path: Path) -> None:
    for checkpoint in (tmp_path / "run", tmp_path):
        with pytest.raises(SettingsError, match="would replace the run"):
            train_prm(PrmConfig(labels=labels, run_dir=tmp_path / "run", checkpoint=checkpoint))


def test_labels_of_too_few_problems_are_refused_in_words(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "one.jsonl", [labelled(load_problems("lists:train?count=1")[0], None)])
    with pytest.raises(SettingsError, match=r"no labels in the .* part"):
        train_prm(PrmConfig(labels=(tmp_path / "one.jsonl",), backbone="tiny", run_dir=tmp_path / "run"))


def test_an_unreadable_label_names_file_and_line(tmp_path: Path, labels: tuple[Path, Path]) -> None:
    torn = tmp_path / "torn.jsonl"
    torn.write_text(labels[0].read_text().splitlines()[0] + '\n{"problem_id": "x"')
    with pytest.raises(ProblemFileError, match=r"torn\.jsonl, line 2"):
        train_prm(PrmConfig(labels=(torn,), run_dir=tmp_path / "run"))
