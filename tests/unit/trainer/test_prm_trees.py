"""Labels as trees of steps: each prefix once, and the same logits as a pass over the program alone."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    GPT2Config,
    GPT2ForTokenClassification,
    LlamaConfig,
    LlamaForTokenClassification,
    RobertaConfig,
    RobertaForTokenClassification,
)

from services.contracts import LabelRecord, Origin, StepLabel, split_steps
from services.contracts.prm_layout import lay_out
from services.contracts.splits import percentile_of
from trainer.errors import PolicyError
from trainer.prm_data import build_trees, memoised, split_by_problem
from trainer.prm_model import Backbone, build_backbone, prove_tree_mask
from trainer.prm_training import kind_weights, language_loss, step_loss
from trainer.prm_tree import IGNORED, KINDS, Pack, collate, make_batches, pack_tree
from trainer.tokenizers import train_bpe

REFERENCE = "def f(x):\n    y = x + 1\n    return y\n"
MUTANT = "def f(x):\n    y = x - 1\n    return y\n"
OTHER = "def f(x):\n    y = x + 1\n    return -y\n"
SIZES = {"vocab_size": 300, "num_labels": 2, "pad_token_id": 0}


def record(
    code: str,
    labels: Sequence[int | None],
    *,
    problem: str = "lists/1",
    origin: str = "reference",
    changed: int | None = None,
) -> LabelRecord:
    steps = [
        StepLabel(start=step.start, end=step.end, label=label)
        for step, label in zip(split_steps(code), labels, strict=True)
    ]
    return LabelRecord(
        problem_id=problem, prompt="Add one.", code=code, origin=Origin(origin), changed_step=changed, steps=steps
    )


RECORDS = [
    record(REFERENCE, [1, 1, 1]),
    record(MUTANT, [1, 0, None], origin="mutation", changed=1),
    record(OTHER, [1, 1, 0], origin="mutation", changed=2),
]


def llama() -> Any:
    torch.manual_seed(0)
    return LlamaForTokenClassification(
        LlamaConfig(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, **SIZES)
    )


def roberta(*, is_decoder: bool = True) -> Any:
    torch.manual_seed(0)
    config = RobertaConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, is_decoder=is_decoder, **SIZES
    )
    return RobertaForTokenClassification(config)


def gpt2() -> Any:
    torch.manual_seed(0)
    return GPT2ForTokenClassification(GPT2Config(n_embd=32, n_layer=2, n_head=2, **SIZES))


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return train_bpe([REFERENCE, MUTANT, OTHER], 300)


def packs_of(backbone: Backbone, records: Sequence[LabelRecord], max_tokens: int = 999) -> list[Pack]:
    trees, _ = build_trees(records, backbone.tokenize, prefix_ids=backbone.prefix_ids, max_tokens=backbone.max_tokens)
    return [pack for tree in trees for pack in pack_tree(tree, max_tokens)]


@torch.no_grad()
def alone(backbone: Backbone, item: LabelRecord) -> list[list[float]]:
    """The logits at each step of a program by itself, laid out and run as the scorer does."""
    texts = [item.code[step.start : step.end] for step in item.steps]
    laid_out = lay_out(item.prompt, texts, backbone.tokenize, prefix_ids=backbone.prefix_ids)
    ids = torch.tensor([laid_out.ids])
    logits = backbone.model(ids, attention_mask=torch.ones_like(ids)).logits[0]
    return [logits[position].tolist() for position in laid_out.positions]


@pytest.mark.parametrize("make", [llama, roberta, gpt2])
@pytest.mark.parametrize("max_tokens", [999, 40])
def test_a_tree_gives_each_step_the_logits_of_its_own_program(
    make: Callable[[], Any], max_tokens: int, tokenizer: Any
) -> None:
    backbone = Backbone(make().eval(), tokenizer)
    packs = packs_of(backbone, RECORDS, max_tokens)
    assert (len(packs) == 1) == (max_tokens == 999)
    batch = collate(packs, pad_id=0)
    with torch.no_grad():
        logits = backbone.forward(batch).logits[batch.labels != IGNORED]
    by_program = [alone(backbone, item) for item in RECORDS]
    expected = [*by_program[0], by_program[1][1], by_program[2][2]]
    assert torch.allclose(torch.tensor(sorted(logits.tolist())), torch.tensor(sorted(expected)), atol=1e-5)


def test_a_bidirectional_model_is_refused(tokenizer: Any) -> None:
    with pytest.raises(PolicyError, match="causal"):
        prove_tree_mask(Backbone(roberta(is_decoder=False), tokenizer))


def test_each_prefix_counts_once_with_its_label(tokenizer: Any) -> None:
    (pack,) = packs_of(Backbone(llama(), tokenizer), RECORDS)
    assert [step.label for step in pack.steps] == [1, 1, 1, 0, 0]
    assert [step.changed for step in pack.steps] == [False, False, False, True, True]
    assert pack.labels[pack.labels != IGNORED].tolist() == [1, 1, 1, 0, 0]


def test_the_same_line_behind_another_prefix_is_another_step(tokenizer: Any) -> None:
    failed_later = record(MUTANT, [1, 0, 0])
    (pack,) = packs_of(Backbone(llama(), tokenizer), [RECORDS[0], failed_later])
    assert [step.label for step in pack.steps] == [1, 1, 1, 0, 0]


def test_contradictory_labels_of_a_prefix_are_dropped(tokenizer: Any) -> None:
    (pack,) = packs_of(Backbone(llama(), tokenizer), [RECORDS[0], record(REFERENCE, [1, 0, None])])
    assert [step.label for step in pack.steps] == [1, 1]


def test_a_cut_tree_counts_each_step_in_one_pack_alone(tokenizer: Any) -> None:
    packs = packs_of(Backbone(llama(), tokenizer), RECORDS, max_tokens=40)
    assert sum(len(pack.steps) for pack in packs) == 5
    assert all(int((pack.labels != IGNORED).sum()) == len(pack.steps) for pack in packs)


def test_steps_behind_the_last_label_cost_nothing(tokenizer: Any) -> None:
    backbone = Backbone(llama(), tokenizer)
    (short,) = packs_of(backbone, [record(REFERENCE, [1, 0, None])])
    (long,) = packs_of(backbone, [record(REFERENCE, [1, 1, 0])])
    assert len(short.ids) < len(long.ids)


def test_code_that_is_too_long_is_left_out_and_counted(tokenizer: Any) -> None:
    backbone = Backbone(llama(), tokenizer)
    trees, left_out = build_trees(RECORDS, backbone.tokenize, prefix_ids=[1], max_tokens=8)
    assert (trees, left_out) == ([], 3)


def test_a_long_prompt_loses_its_beginning(tokenizer: Any) -> None:
    backbone = Backbone(llama(), tokenizer)
    (whole,) = packs_of(backbone, RECORDS[:1])
    trees, left_out = build_trees(RECORDS[:1], backbone.tokenize, prefix_ids=[1], max_tokens=len(whole.ids) - 2)
    assert left_out == 0
    (pack,) = pack_tree(trees[0], 999)
    assert len(pack.ids) == len(whole.ids) - 2
    assert pack.ids[0] == 1 and pack.ids[1:].tolist() == whole.ids[3:].tolist()


@pytest.mark.parametrize("cut", range(12))
def test_a_cut_prompt_leaves_every_label_at_the_newline_of_its_step(cut: int, tokenizer: Any) -> None:
    """The trap of truncated inputs with untruncated labels: https://github.com/OpenRLHF/OpenRLHF/issues/652."""
    backbone = Backbone(llama(), tokenizer)
    labelled = record(MUTANT, [1, None, 0])
    (whole,) = packs_of(backbone, [labelled])
    trees, left_out = build_trees(
        [labelled], backbone.tokenize, prefix_ids=backbone.prefix_ids, max_tokens=len(whole.ids) - cut
    )
    if left_out:
        prompt = backbone.tokenize(["Add one.\n"])[0]
        assert (trees, cut > len(prompt)) == ([], True)
        return
    (pack,) = pack_tree(trees[0], 999)
    assert len(pack.ids) == len(whole.ids) - cut
    places = (pack.labels != IGNORED).nonzero()[:, 0].tolist()
    assert [pack.labels[place].item() for place in places] == [1, 0]
    code = [tokenizer.decode(pack.ids[: place + 1]) for place in places]
    assert code[0].endswith("def f(x):\n") and code[1].endswith(MUTANT)


def test_code_that_does_not_fit_is_never_cut_with_its_labels_left_over(tokenizer: Any) -> None:
    backbone = Backbone(llama(), tokenizer)
    long, short = record(MUTANT * 9, [1, 0, None] * 9), record(REFERENCE, [1, 1, 1], problem="lists/2")
    trees, left_out = build_trees([long, short], backbone.tokenize, prefix_ids=[], max_tokens=60)
    assert (left_out, [tree.problem_id for tree in trees]) == (1, ["lists/2"])


def test_a_step_without_a_label_is_neither_right_nor_wrong(tokenizer: Any) -> None:
    """The trap of -100 cast to True: https://github.com/huggingface/trl/issues/2127."""
    backbone = Backbone(llama(), tokenizer)
    (pack,) = packs_of(backbone, [record(REFERENCE, [1, None, 0])])
    assert sorted(set(pack.labels.tolist())) == [IGNORED, 0, 1]
    assert [step.label for step in pack.steps] == [1, 0]
    assert int((pack.labels != IGNORED).sum()) == 2
    unlabelled = pack.ids[pack.owner == 2]
    assert tokenizer.decode(unlabelled) == "    y = x + 1\n"
    assert not pack.clean[pack.owner == 2].any()
    assert set(pack.labels[pack.owner == 2].tolist()) == {IGNORED}
    logits = torch.zeros(len(pack.labels), 2, requires_grad=True)
    loss = step_loss(logits, pack.labels, torch.ones(len(pack.labels)), pack.targets)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert (gradient.abs().sum(dim=1) > 0).nonzero()[:, 0].tolist() == (pack.labels >= 0).nonzero()[:, 0].tolist()


def test_the_language_loss_predicts_a_token_from_the_one_before_it_in_its_program(tokenizer: Any) -> None:
    backbone = Backbone(llama(), tokenizer)
    batch = collate(packs_of(backbone, RECORDS), pad_id=0)
    row, at = (batch.clean & (batch.before >= 0)).nonzero(as_tuple=True)
    ids, before = batch.ids[row, at].tolist(), batch.ids[row, batch.before[row, at]].tolist()
    assert tokenizer.decode(ids) == REFERENCE
    assert before == [*backbone.tokenize(["\n"])[0], *ids[:-1]]
    hidden = torch.randn(*batch.ids.shape, 32, generator=torch.Generator().manual_seed(0))
    assert torch.isfinite(language_loss(backbone.model, hidden, batch))


def test_the_step_loss_is_the_weighted_mean_over_labelled_steps() -> None:
    logits = torch.tensor([[[0.0, 0.0], [2.0, 0.0], [0.0, 9.0]]])
    labels = torch.tensor([[1, 0, IGNORED]])
    half, sure = 0.693147, 0.126928
    loss = step_loss(logits, labels, torch.tensor([[3.0, 1.0, 5.0]]), labels.float())
    assert loss.item() == pytest.approx((3 * half + sure) / 4, abs=1e-5)
    assert step_loss(logits, torch.full((1, 3), IGNORED), torch.ones(1, 3), torch.ones(1, 3)).item() == 0


def test_every_kind_of_step_weighs_the_same(tokenizer: Any) -> None:
    rewritten = record("def f(x):\n    y = 1 + x\n    return y\n", [1, 1, 1], origin="refactoring", changed=1)
    packs = packs_of(Backbone(llama(), tokenizer), [*RECORDS, rewritten])
    counted = packs[0].labels != IGNORED
    weights = kind_weights(packs, balanced=True)
    negatives, references, refactored = 2, 3, 2
    kinds = [KINDS.index(kind) for kind in (None, Origin.REFERENCE, Origin.REFACTORING)]
    totals = weights[kinds] * torch.tensor([negatives, references, refactored])
    assert totals.tolist() == pytest.approx([7 / 3] * 3)
    assert weights[packs[0].kinds[counted]].mean().item() == pytest.approx(1)
    assert set(kind_weights(packs, balanced=False).tolist()) == {1.0}


def test_padding_sees_itself_and_nothing_else(tokenizer: Any) -> None:
    backbone = Backbone(llama(), tokenizer)
    packs = packs_of(backbone, [*RECORDS, record("x = 1\n", [1], problem="lists/2")])
    batch = collate(packs, pad_id=0)
    length = len(packs[1].ids)
    assert batch.mask[1, 0, length:].long().sum(dim=1).tolist() == [1] * (batch.ids.shape[1] - length)


def test_batches_hold_every_pack_once_whatever_the_order(tokenizer: Any) -> None:
    records = [record(f"x = {'1' * at}\n", [1], problem=f"lists/{at}") for at in range(1, 40)]
    packs = packs_of(Backbone(llama(), tokenizer), records)
    plain, shuffled = make_batches(packs, 256), make_batches(packs, 256, random.Random(1))
    assert len(plain) == len(shuffled)
    for batches in (plain, shuffled):
        assert sorted(map(id, (pack for batch in batches for pack in batch))) == sorted(map(id, packs))
        assert all(len(batch) * max(len(pack.ids) for pack in batch) <= 256 for batch in batches)


def test_the_split_is_by_problem_and_by_its_id_alone() -> None:
    records = [record(REFERENCE, [1, 1, 1], problem=f"lists/{at // 2}") for at in range(400)]
    split = split_by_problem(records, held_out=0.2, validation=0.1)
    parts = [{item.problem_id for item in part} for part in (split.train, split.validation, split.held_out)]
    assert not parts[0] & parts[1] and not parts[0] & parts[2] and not parts[1] & parts[2]
    assert sum(map(len, parts)) == 200
    assert 25 <= len(parts[2]) <= 55
    assert all(70 <= percentile_of(name) < 80 for name in parts[1])
    assert all(percentile_of(name) >= 80 for name in parts[2])


def test_a_text_is_tokenized_once() -> None:
    asked: list[str] = []

    def tokenize(texts: Sequence[str]) -> list[list[int]]:
        asked.extend(texts)
        return [[len(text)] for text in texts]

    remembering = memoised(tokenize)
    assert remembering(["a", "bb", "a"]) == [[1], [2], [1]]
    assert remembering(["bb", "ccc"]) == [[2], [3]]
    assert asked == ["a", "bb", "ccc"]


def test_an_unknown_backbone_says_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="tiny, small, base"):
        build_backbone(str(tmp_path / "nothing"), [], 300, 0.1)
