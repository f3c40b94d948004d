"""A classifier on a frozen backbone, or layers trained above frozen ones: computed once, and the checkpoint agrees."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from transformers import (
    GPT2Config,
    GPT2ForTokenClassification,
    LlamaConfig,
    LlamaForTokenClassification,
    RobertaConfig,
    RobertaForTokenClassification,
)

from services.contracts import LabelRecord, Origin, StepLabel, split_steps
from trainer.errors import PolicyError, SettingsError
from trainer.prm_config import PrmConfig
from trainer.prm_data import build_trees
from trainer.prm_features import FeatureCache
from trainer.prm_figures import score_steps
from trainer.prm_frozen import FrozenTraining, depths_to_try, fit_heads
from trainer.prm_layers import keep_layers, layers_of, normed
from trainer.prm_model import Backbone
from trainer.prm_parts import Part
from trainer.prm_states import compute_ahead, freeze_below
from trainer.prm_training import PrmTraining
from trainer.prm_tree import IGNORED, collate, pack_tree
from trainer.runs import Run, read_metrics
from trainer.tokenizers import train_bpe

LAYERS = 3
SIZES = {"vocab_size": 300, "num_labels": 2, "pad_token_id": 0}
CODE = "def f(x):\n    y = x + 1\n    return y\n"


def llama() -> Any:
    config = LlamaConfig(hidden_size=32, intermediate_size=64, num_hidden_layers=LAYERS, num_attention_heads=2, **SIZES)
    return LlamaForTokenClassification(config)


def roberta() -> Any:
    config = RobertaConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=LAYERS,
        num_attention_heads=2,
        is_decoder=True,
        use_cache=False,
        **SIZES,
    )
    return RobertaForTokenClassification(config)


def gpt2() -> Any:
    return GPT2ForTokenClassification(GPT2Config(n_embd=32, n_layer=LAYERS, n_head=2, use_cache=False, **SIZES))


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return train_bpe([CODE], 300)


def records(count: int) -> list[LabelRecord]:
    """Programs whose middle line is right where it adds, wrong where it subtracts."""
    made = []
    for at in range(count):
        sign = "+-"[at % 2]
        code = f"def f(x):\n    y = x {sign} {at}\n    return y\n"
        labels = [1, int(sign == "+"), 1 if sign == "+" else None]
        made.append(
            LabelRecord(
                problem_id=f"p/{at // 4}",
                prompt="Add.",
                code=code,
                origin=Origin.MUTATION if sign == "-" else Origin.REFERENCE,
                steps=[
                    StepLabel(start=step.start, end=step.end, label=label)  # type: ignore[arg-type]
                    for step, label in zip(split_steps(code), labels, strict=True)
                ],
            )
        )
    return made


def part(backbone: Backbone, name: str, count: int) -> Part:
    trees, _ = build_trees(records(count), backbone.tokenize, prefix_ids=backbone.prefix_ids, max_tokens=512)
    return Part(name, [pack for tree in trees for pack in pack_tree(tree, 256)], [], len(trees), 0)


@pytest.fixture(params=[llama, roberta, gpt2])
def backbone(request: pytest.FixtureRequest, tokenizer: Any) -> Backbone:
    torch.manual_seed(0)
    make: Callable[[], Any] = request.param
    return Backbone(make().eval(), tokenizer)


def test_features_are_what_the_classifier_of_a_cut_model_is_given(backbone: Backbone, tmp_path: Path) -> None:
    packs = part(backbone, "training", 8).packs
    features = FeatureCache(backbone, tmp_path).features(packs, [1, LAYERS], "training")
    for depth in (LAYERS, 1):
        keep_layers(backbone.model, depth)
        given: list[torch.Tensor] = []
        classifier = next(module for module in backbone.model.modules() if getattr(module, "out_features", 0) == 2)
        handle = classifier.register_forward_pre_hook(lambda _module, inputs, given=given: given.append(inputs[0]))
        for pack in packs:
            with torch.no_grad():
                backbone.forward(collate([pack], 0))
        handle.remove()
        at_steps = [hidden[0, pack.labels != IGNORED] for hidden, pack in zip(given, packs, strict=True)]
        with torch.no_grad():
            assert torch.allclose(torch.cat(at_steps), normed(backbone.model, features[depth]), atol=1e-5)


def test_the_saved_kind_of_model_says_what_the_cached_features_said(backbone: Backbone, tmp_path: Path) -> None:
    training, validation = part(backbone, "training", 48), part(backbone, "validation", 16)
    config = PrmConfig(labels=(), feature_cache=tmp_path / "features", run_dir=tmp_path / "run")
    with Run(config.run_dir) as run:
        frozen = FrozenTraining(backbone, config, training, validation, run)
        frozen.fit()
    cached = frozen.score(validation)
    whole = score_steps(backbone, validation.packs, 256)
    place = {id(step): at for at, step in enumerate(whole.steps)}
    order = [place[id(step)] for step in cached.steps]
    assert torch.allclose(cached.logits, whole.logits[order], atol=1e-3)
    chosen = min(read_metrics(config.run_dir), key=lambda line: line["prm/validation_loss"])
    assert backbone.model.config.num_hidden_layers == len(layers_of(backbone.model)) == chosen["prm/layers"]
    assert float((cached.logits.argmax(dim=1) == cached.labels).float().mean()) > 0.75


def test_what_is_cached_is_not_computed_again(tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    backbone = Backbone(llama().eval(), tokenizer)
    packs = part(backbone, "training", 12).packs
    passes: list[int] = []
    forward = type(backbone.model).forward
    monkeypatch.setattr(
        type(backbone.model), "forward", lambda *given, **named: (passes.append(1), forward(*given, **named))[1]
    )
    first = FeatureCache(backbone, tmp_path).features(packs[:2], [2], "training")
    assert len(passes) == 2
    again = FeatureCache(backbone, tmp_path).features(packs, [2], "training")
    assert len(passes) == len(packs)
    assert torch.equal(again[2][: len(first[2])], first[2])
    backbone.model.config._name_or_path = "another/folder"
    FeatureCache(backbone, tmp_path).features(packs, [2], "training")
    assert len(passes) == len(packs), "a copy of the weights has the same features"
    with torch.no_grad():
        backbone.model.get_input_embeddings().weight += 1
    FeatureCache(backbone, tmp_path).features(packs, [2], "training")
    assert len(passes) == 2 * len(packs), "other weights have other features"


def test_a_pass_behind_frozen_layers_gives_the_logits_of_a_whole_one(backbone: Backbone, tmp_path: Path) -> None:
    packs = part(backbone, "training", 12).packs
    behind = freeze_below(backbone, 2, tmp_path)
    whole = score_steps(backbone, packs, 256).logits
    for _computed_then_read in range(2):
        assert torch.allclose(score_steps(behind, packs, 256).logits, whole, atol=1e-5)
    assert len(layers_of(backbone.model)) == LAYERS


def train_behind(backbone: Backbone, folder: Path, **settings: Any) -> PrmTraining:
    """Train the last layer, on states that are kept in `folder`."""
    config = PrmConfig(labels=(), run_dir=folder / "run", epochs=6, learning_rate=1e-2, warmup_iterations=1, **settings)
    behind = freeze_below(backbone, 2, folder / "states")
    training, validation = part(backbone, "training", 48), part(backbone, "validation", 16)
    with Run(config.run_dir) as run:
        loop = PrmTraining(behind, config, training, validation, run)
        loop.fit()
    return loop


def test_the_layers_above_learn_and_the_whole_model_says_what_they_said(backbone: Backbone, tmp_path: Path) -> None:
    below = [backbone.model.get_input_embeddings(), *layers_of(backbone.model)[:2]]
    before = [[weights.clone() for weights in each.parameters()] for each in below]
    training = train_behind(backbone, tmp_path)
    for each, kept in zip(below, before, strict=True):
        assert all(torch.equal(weights, old) for weights, old in zip(each.parameters(), kept, strict=True))
    validation = part(backbone, "validation", 16)
    behind, whole = training.score(validation), score_steps(backbone, validation.packs, 256)
    assert torch.allclose(behind.logits, whole.logits, atol=1e-5)
    assert float((whole.logits.argmax(dim=1) == whole.labels).float().mean()) > 0.75


def test_a_training_behind_frozen_layers_that_was_stopped_goes_on_to_the_same_weights(
    tokenizer: Any, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    whole, stopped, resumed = (Backbone(copy.deepcopy(model), tokenizer) for model in [llama()] * 3)
    train_behind(whole, tmp_path / "whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PrmTraining, "_validate", stop_at(3))
        with pytest.raises(KeyboardInterrupt):
            train_behind(stopped, tmp_path / "stopped")
    train_behind(resumed, tmp_path / "stopped", resume=True)
    weights = whole.model.state_dict(), resumed.model.state_dict()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def stop_at(epoch: int) -> Callable[[PrmTraining, float], float]:
    validate = PrmTraining._validate

    def stopped(training: PrmTraining, train_loss: float) -> float:
        if training.epochs == epoch:
            raise KeyboardInterrupt
        return validate(training, train_loss)

    return stopped


def test_states_are_computed_once_whatever_is_trained_above(tokenizer: Any, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = llama()
    packs = part(Backbone(model, tokenizer), "training", 12).packs
    compute_ahead(freeze_below(Backbone(model, tokenizer), 1, tmp_path), packs, "training")
    files = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.safetensors")}
    assert len(files) == len(packs)
    keep_layers(model, 2)
    with torch.no_grad():
        for weights in layers_of(model)[1].parameters():
            weights += 1
    compute_ahead(freeze_below(Backbone(model, tokenizer), 1, tmp_path), packs, "training")
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.safetensors")} == files
    with torch.no_grad():
        model.get_input_embeddings().weight += 1
    compute_ahead(freeze_below(Backbone(model, tokenizer), 1, tmp_path), packs, "training")
    assert len([*tmp_path.rglob("*.safetensors")]) == 2 * len(files), "other weights below have other states"


def test_a_model_that_begins_elsewhere_is_refused(tokenizer: Any, tmp_path: Path) -> None:
    """Whose last layer, say, counts those before it."""
    model = llama()
    first, _, last = layers_of(model)
    ran: list[int] = []
    model.register_forward_pre_hook(lambda _model, _given: ran.clear())
    first.register_forward_hook(lambda _layer, _given, _output: ran.append(1))
    last.register_forward_pre_hook(lambda _layer, given: (given[0] + len(ran), *given[1:]))
    with pytest.raises(PolicyError, match="cannot be entered"):
        freeze_below(Backbone(model, tokenizer), 1, tmp_path)


@pytest.mark.parametrize("count", [-1, LAYERS])
def test_a_layer_must_be_left_to_train(count: int, tokenizer: Any, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="leave at least one"):
        freeze_below(Backbone(llama(), tokenizer), count, tmp_path)


def test_a_soft_target_is_the_cross_entropy_with_that_target() -> None:
    """With only an intercept to learn, the probability is the weighted mean of the targets."""
    features = torch.zeros(4, 2)
    targets, weights = torch.tensor([0.25, 0.75, 1.0, 0.0]), torch.tensor([2.0, 1.0, 1.0, 1.0])
    for head in fit_heads(features, targets, weights, depth=1):
        probability = head.logits(features).softmax(dim=1)[:, 1]
        assert probability.tolist() == pytest.approx([float((targets * weights).sum() / weights.sum())] * 4, abs=1e-2)


def test_standardising_is_folded_into_the_weights() -> None:
    rng = np.random.default_rng(0)
    raw = rng.normal(5, [1, 20], size=(200, 2))
    classes = (raw[:, 0] + rng.normal(size=200) > 5).astype(int)
    standard = (raw - raw.mean(axis=0)) / raw.std(axis=0, ddof=1)
    (head, *_) = fit_heads(
        torch.tensor(raw, dtype=torch.float32), torch.tensor(classes).float(), torch.ones(200), depth=1
    )
    expected = LogisticRegression(C=head.strength, tol=1e-3).fit(standard, classes).decision_function(standard)
    logits = head.logits(torch.tensor(raw, dtype=torch.float32))
    assert (logits[:, 1] - logits[:, 0]).numpy() == pytest.approx(expected, abs=1e-2)


def test_depths_are_spread_evenly_and_the_last_is_among_them() -> None:
    assert depths_to_try(3) == [1, 2, 3]
    assert depths_to_try(30) == [4, 8, 11, 15, 19, 22, 26, 30]


def test_more_layers_than_there_are_is_refused_in_words(tokenizer: Any) -> None:
    with pytest.raises(SettingsError, match="has 3 layers"):
        keep_layers(llama(), 4)


def test_soft_labels_are_learnt_only_where_that_is_wanted(tokenizer: Any) -> None:
    (first, *_) = records(1)
    steps = [
        step.model_copy(update={"soft_label": share}) for step, share in zip(first.steps, (1.0, 0.25, 0.5), strict=True)
    ]
    soft = [first.model_copy(update={"steps": steps}), first]
    backbone = Backbone(llama(), tokenizer)
    for wanted, targets in ((True, [1.0, 0.25, 0.5]), (False, [1.0, 1.0, 1.0])):
        trees, _ = build_trees(soft, backbone.tokenize, prefix_ids=[], max_tokens=99, soft=wanted)
        (pack,) = pack_tree(trees[0], 256)
        assert pack.targets[pack.labels != IGNORED].tolist() == targets
        assert pack.labels[pack.labels != IGNORED].tolist() == [1, 1, 1]
