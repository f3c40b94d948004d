"""A PRM learns a rule from label files, beats the majority, and is saved as anyone can load it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from fastapi import FastAPI
from safetensors.torch import load_file, save_file
from transformers import AutoModelForTokenClassification, AutoTokenizer

from services.client import RequestError, ScorerClient
from services.contracts import LabelRecord, Origin, Problem, ScoreRequest, StepKind, StepLabel, split_steps
from services.contracts.prm_checkpoint import GOLDEN_FILE, Conventions, GoldenScores
from services.kit.errors import StartupError
from services.scorer.app import create_app
from services.scorer.settings import ScorerSettings
from trainer.classification import fit_temperature
from trainer.errors import SettingsError
from trainer.prm import PrmConfig, PrmSummary, train_prm
from trainer.prm_data import build_trees, read_labels, split_by_problem
from trainer.prm_figures import score_steps
from trainer.prm_model import Backbone
from trainer.prm_tree import pack_tree
from trainer.problems import ProblemFileError, load_problems
from trainer.problems.files import write_jsonl
from trainer.runs import Run, read_metrics
from trainer.tokenizers import train_bpe


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


def test_the_checkpoint_says_how_good_its_scores_are_on_how_many_labels_and_since_when(
    trained: tuple[Path, PrmSummary],
) -> None:
    summary = trained[1]
    section = json.loads((summary.checkpoint / "config.json").read_text())["linewise"]
    calibration = Conventions.model_validate(section).calibration
    assert calibration is not None and calibration.date is not None
    assert calibration.date.tzinfo is not None
    assert (calibration.labels, calibration.accuracy, calibration.ece) == (
        summary.held_out_steps,
        summary.accuracy,
        summary.ece,
    )


def test_the_temperature_is_fitted_on_validation_problems_and_not_on_those_it_is_measured_on(
    labels: tuple[Path, Path], trained: tuple[Path, PrmSummary]
) -> None:
    """Fitted again from the saved weights: the validation part gives the temperature, the held-out part another."""
    model = AutoModelForTokenClassification.from_pretrained(trained[1].checkpoint).eval()
    backbone = Backbone(model, AutoTokenizer.from_pretrained(trained[1].checkpoint))
    split = split_by_problem(read_labels(labels), held_out=0.2, validation=0.1)
    fitted = []
    for records in (split.validation, split.held_out):
        trees, _ = build_trees(records, backbone.tokenize, prefix_ids=backbone.prefix_ids, max_tokens=1024)
        scored = score_steps(backbone, [pack for tree in trees for pack in pack_tree(tree, 1024)], 1024)
        fitted.append(fit_temperature(scored.logits, scored.labels))
    assert fitted[0] == pytest.approx(trained[1].temperature, rel=1e-3)
    assert fitted[1] != pytest.approx(trained[1].temperature, rel=1e-2)


def test_golden_scores_are_of_held_out_programs(labels: tuple[Path, Path], trained: tuple[Path, PrmSummary]) -> None:
    golden = GoldenScores.model_validate_json((trained[1].checkpoint / GOLDEN_FILE).read_bytes())
    held_out = {record.code for record in split_by_problem(read_labels(labels), 0.2, 0.1).held_out}
    assert len(golden.programs) == 8
    assert all(program.code in held_out for program in golden.programs)
    assert all(0 <= score <= 1 for program in golden.programs for score in program.scores if score is not None)


async def test_the_scorer_tells_calibration_and_that_the_golden_scores_come_out(
    trained: tuple[Path, PrmSummary], serve: Callable[[FastAPI], str]
) -> None:
    summary = trained[1]
    url = serve(create_app(ScorerSettings(models=(f"prm={summary.checkpoint}",))))
    async with ScorerClient(url) as client:
        (info,) = await client.models()
    assert info.golden == "ok"
    assert info.temperature == summary.temperature
    assert info.calibration is not None
    assert (info.calibration.accuracy, info.calibration.ece) == (summary.accuracy, summary.ece)


@pytest.mark.parametrize("lost", ["temperature", "weights", "tokenizer"])
async def test_a_checkpoint_whose_parts_do_not_belong_together_is_refused_and_the_old_one_serves(
    lost: str, trained: tuple[Path, PrmSummary], tmp_path: Path, serve: Callable[[FastAPI], str]
) -> None:
    folder = shutil.copytree(trained[1].checkpoint, tmp_path / "prm")
    url = serve(create_app(ScorerSettings(models=(str(folder),))))
    _spoil(folder, lost)
    request = ScoreRequest(prompt="Sum the list.", code="def f(xs):\n    return sum(xs)\n")
    async with ScorerClient(url) as client:
        before = await client.score(request)
        with pytest.raises(RequestError, match="off its golden score") as refusal:
            await client.reload("prm")
        assert (refusal.value.status, refusal.value.code) == (409, "bad_checkpoint")
        assert await client.score(request) == before
    with pytest.raises(StartupError, match="off its golden score"):
        create_app(ScorerSettings(models=(str(folder),)))


def _spoil(folder: Path, lost: str) -> None:
    if lost == "temperature":
        config = json.loads((folder / "config.json").read_text())
        del config["linewise"]["temperature"]
        (folder / "config.json").write_text(json.dumps(config))
    elif lost == "weights":
        weights = load_file(folder / "model.safetensors")
        weights["model.norm.weight"] *= 0.1
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    else:
        train_bpe(["def g(ys):\n    return ys\n"], 300).save_pretrained(folder)


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


def test_a_backbone_frozen_whole_and_in_part_is_refused(labels: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="give one of them"):
        train_prm(PrmConfig(labels=labels, run_dir=tmp_path / "run", freeze=True, freeze_layers=1))


def test_labels_of_too_few_problems_are_refused_in_words(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "one.jsonl", [labelled(load_problems("lists:train?count=1")[0], None)])
    with pytest.raises(SettingsError, match=r"no labels in the .* part"):
        train_prm(PrmConfig(labels=(tmp_path / "one.jsonl",), backbone="tiny", run_dir=tmp_path / "run"))


def test_an_unreadable_label_names_file_and_line(tmp_path: Path, labels: tuple[Path, Path]) -> None:
    torn = tmp_path / "torn.jsonl"
    torn.write_text(labels[0].read_text().splitlines()[0] + '\n{"problem_id": "x"')
    with pytest.raises(ProblemFileError, match=r"torn\.jsonl, line 2"):
        train_prm(PrmConfig(labels=(torn,), run_dir=tmp_path / "run"))


def test_a_run_that_was_stopped_goes_on_to_the_same_weights(labels: tuple[Path, Path], tmp_path: Path) -> None:
    def config(name: str, epochs: float, *, resume: bool) -> PrmConfig:
        return PrmConfig(
            labels=labels[1:], backbone="tiny", run_dir=tmp_path / name, epochs=epochs, vocabulary=300, resume=resume
        )

    whole = train_prm(config("whole", 3, resume=False))
    stopped = config("stopped", 3, resume=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "log", _interrupt_in_epoch(3))
        with pytest.raises(KeyboardInterrupt):
            train_prm(stopped)
    resumed = train_prm(config("stopped", 3, resume=True))
    assert (resumed.epochs, resumed.iterations) == (whole.epochs, whole.iterations)
    weights = [load_file(summary.checkpoint / "model.safetensors") for summary in (whole, resumed)]
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    lines = [line["iteration"] for line in read_metrics(tmp_path / "stopped")]
    assert lines == [1, 2, 3]


def _interrupt_in_epoch(epoch: int) -> Callable[..., None]:
    log = Run.log

    def interrupted(run: Run, iteration: int, metrics: dict[str, float]) -> None:
        if iteration == epoch:
            raise KeyboardInterrupt
        log(run, iteration, metrics)

    return interrupted


@pytest.mark.parametrize(
    "settings", [{"freeze": True}, {"freeze_layers": 1, "epochs": 1}], ids=["classifier", "layers above"]
)
async def test_what_is_learnt_on_frozen_layers_is_served_like_any_other(
    settings: dict[str, Any],
    labels: tuple[Path, Path],
    trained: tuple[Path, PrmSummary],
    tmp_path: Path,
    serve: Callable[[FastAPI], str],
) -> None:
    config = PrmConfig(
        labels=labels,
        backbone=str(trained[1].checkpoint),
        feature_cache=tmp_path / "features",
        run_dir=tmp_path / "run",
        **settings,
    )
    summary = train_prm(config)
    assert summary.layers in (1, 2)
    assert summary.roc_auc is not None and summary.roc_auc > 0.9
    url = serve(create_app(ScorerSettings(models=(f"prm={summary.checkpoint}",))))
    async with ScorerClient(url) as client:
        (info,) = await client.models()
    assert info.golden == "ok"


def test_the_first_wrong_line_is_found_and_counted(trained: tuple[Path, PrmSummary]) -> None:
    run, summary = trained
    reports = json.loads((run / "first_error.json").read_text())
    assert reports["at_half"]["threshold"] == 0.5
    chosen = reports["at_validation_threshold"]
    assert (chosen["f1"], chosen["threshold"]) == (summary.first_error_f1, summary.first_error_threshold)
    assert chosen["right"] == summary.held_out_problems
    assert chosen["f1"] > 0.7
