"""A classifier on a frozen backbone: features computed once, and a checkpoint that says what they said."""

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
from trainer.errors import SettingsError
from trainer.prm_config import PrmConfig
from trainer.prm_data import build_trees
from trainer.prm_features import FeatureCache
from trainer.prm_figures import score_steps
from trainer.prm_frozen import FrozenTraining, depths_to_try, fit_heads
from trainer.prm_layers import keep_layers, layers_of, normed
from trainer.prm_model import Backbone
from trainer.prm_parts import Part
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
