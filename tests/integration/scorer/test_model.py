from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import DynamicCache

from services.contracts import ScoreRequest
from services.contracts.prm_layout import PrmInput
from services.scorer.checkpoint import CheckpointError
from services.scorer.encoding import encode
from services.scorer.model import TorchPrm
from services.scorer.shared_prompts import PromptUse

CAUSAL = ["roberta", "unixcoder", "llama", "gpt2", "one label"]
Load = Callable[[Path], TorchPrm]


@pytest.fixture(params=CAUSAL)
def prm(request: pytest.FixtureRequest, loaded: Callable[[str], TorchPrm]) -> TorchPrm:
    return loaded(request.param)


def score_alone(prm: TorchPrm, prompt: str, code: str) -> list[float]:
    return prm.score([encode(ScoreRequest(prompt=prompt, code=code), prm).input])[0]


def test_a_step_scores_as_if_the_program_ended_with_it(prm: TorchPrm, prompt: str, programs: dict[str, str]) -> None:
    for code in programs.values():
        whole = encode(ScoreRequest(prompt=prompt, code=code), prm)
        scores = prm.score([whole.input])[0]
        ends = [whole.steps[index].end for index in whole.scored_steps]
        alone = [score_alone(prm, prompt, code[:end] + "\n")[-1] for end in ends]
        assert alone == pytest.approx(scores, abs=1e-4)


def test_a_program_scores_the_same_in_any_batch(prm: TorchPrm, prompt: str, programs: dict[str, str]) -> None:
    inputs = [encode(ScoreRequest(prompt=prompt, code=code), prm).input for code in programs.values()]
    alone = [prm.score([item])[0] for item in inputs]
    for batched, single in zip(prm.score(inputs), alone, strict=True):
        assert batched == pytest.approx(single, abs=1e-4)


def test_sparing_memory_widens_passes_to_few_widths_and_changes_no_score(
    prm: TorchPrm, prompt: str, programs: dict[str, str]
) -> None:
    widths: list[int] = []

    def forward(**fields: Any) -> Any:
        widths.append(fields["input_ids"].shape[1])
        return prm.model(**fields)

    inputs = [encode(ScoreRequest(prompt=prompt, code=code), prm).input for code in programs.values()]
    sparing = replace(prm, spares_memory=True, shares_prompts=False, forward=forward)
    for item in inputs:
        assert sparing.score([item])[0] == pytest.approx(prm.score([item])[0], abs=1e-4)
    assert all(width % 8 == 0 for width in widths)
    assert any(len(item.ids) % 8 for item in inputs)

    longest = max(inputs, key=lambda item: len(item.ids))
    replace(sparing, max_tokens=len(longest.ids)).score([longest])
    assert widths[-1] == len(longest.ids)


@pytest.mark.parametrize("opening", ["", "<pad> <s>"], ids=["plain", "padding in it"])
def test_rollouts_of_one_prompt_score_as_they_do_alone(opening: str, prm: TorchPrm, prompt: str) -> None:
    inputs = _rollouts(prm, opening + prompt * 6)
    alone = [replace(prm, shares_prompts=False).score([item])[0] for item in inputs]
    for together in (prm.score(inputs), [prm.score([item])[0] for item in inputs]):
        for one, other in zip(together, alone, strict=True):
            assert one == pytest.approx(other, abs=1e-4)


def test_a_prompt_is_read_once_for_all_its_rollouts_and_for_those_that_come_later(prm: TorchPrm, prompt: str) -> None:
    prm = replace(prm, prefix_ids=[2])  # the tokenizer's bos is the padding of these RoBERTas
    inputs = _rollouts(prm, prompt * 6)
    head = inputs[0].prompt_tokens
    width = max(len(item.ids) for item in inputs) - head
    assert (prm.shares_prompts, head >= 64) == (True, True)
    read: list[int] = []
    hook = prm.model.register_forward_pre_hook(
        lambda _, __, fields: read.append(fields["input_ids"].numel()), with_kwargs=True
    )
    foretold = []
    for batch in (inputs[:4], inputs[4:], inputs[:1]):
        foretold.append(prm.prompt_use(batch))
        prm.score(batch)
    hook.remove()
    assert read == [head, width * 4, width * 3, len(inputs[0].ids) - head]
    assert foretold == [PromptUse(head, read=head), PromptUse(head), PromptUse(head)]


def test_passes_side_by_side_score_as_one_after_the_other(prm: TorchPrm, prompt: str) -> None:
    inputs = [item for repeats in (2, 6) for item in _rollouts(prm, prompt * repeats)]
    batches = [inputs[start : start + 3] for start in range(0, len(inputs), 3)] * 4
    expected = [row for batch in batches for row in replace(prm, shares_prompts=False).score(batch)]
    with ThreadPoolExecutor(4) as threads:
        found = [row for rows in threads.map(prm.score, batches) for row in rows]
    for one, other in zip(found, expected, strict=True):
        assert one == pytest.approx(other, abs=1e-4)


def _rollouts(prm: TorchPrm, prompt: str) -> list[PrmInput]:
    codes = [f"def f(x):\n    y = x + {number}\n    return y\n" for number in range(7)]
    return [encode(ScoreRequest(prompt=prompt, code=code), prm).input for code in codes]


def test_a_model_whose_cache_changes_its_logits_shares_no_prompt(
    checkpoint: Callable[[str], Path], load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load(checkpoint("llama")).shares_prompts
    repeat = DynamicCache.batch_repeat_interleave

    def repeat_and_forget(cache: DynamicCache, rows: int) -> None:
        repeat(cache, rows)
        cache.layers[0].values.zero_()

    monkeypatch.setattr(DynamicCache, "batch_repeat_interleave", repeat_and_forget)
    assert not load(checkpoint("llama")).shares_prompts


def test_scores_are_probabilities_that_tell_steps_apart(prm: TorchPrm, prompt: str, programs: dict[str, str]) -> None:
    scores = [score for code in programs.values() for score in score_alone(prm, prompt, code)]
    assert all(0 <= score <= 1 for score in scores)
    assert max(scores) - min(scores) > 0.1


@pytest.mark.parametrize(
    ("kind", "architecture", "max_tokens"),
    [
        ("roberta", "RobertaForTokenClassification", 514 - 1 - 1),
        ("llama", "LlamaForTokenClassification", 512),
        ("gpt2", "GPT2ForTokenClassification", 512),
    ],
)
def test_the_longest_input_is_scored_and_is_the_longest(
    kind: str, architecture: str, max_tokens: int, checkpoint: Callable[[str], Path], load: Load
) -> None:
    prm = load(checkpoint(kind))
    assert (prm.architecture, prm.max_tokens) == (architecture, max_tokens)
    assert prm.parameters == sum(
        weight.numel() for weight in load_file(checkpoint(kind) / "model.safetensors").values()
    )
    assert len(prm.score([PrmInput([5] * max_tokens, [max_tokens - 1])])[0]) == 1


def test_a_position_table_holds_no_more_than_max_tokens(checkpoint: Callable[[str], Path], load: Load) -> None:
    prm = load(checkpoint("roberta"))
    with pytest.raises(RuntimeError, match="out of bounds"):
        prm.score([PrmInput([5] * (prm.max_tokens + 1), [0])])


def test_temperature_divides_the_logits(tmp_path: Path, save_checkpoint: Callable[..., Path], load: Load) -> None:
    plain = load(save_checkpoint(tmp_path / "plain"))
    tempered = load(save_checkpoint(tmp_path / "tempered", linewise={"temperature": 2.0}))
    item = PrmInput([7, 8, 9], [0, 2])
    with torch.inference_mode():
        expected = (plain.logits([item.ids])[0, item.positions] / 2).softmax(dim=1)[:, 1]
    assert tempered.score([item])[0] == pytest.approx(expected.tolist(), abs=1e-6)
    assert plain.score([item])[0] != pytest.approx(expected.tolist(), abs=1e-3)


def test_an_input_opens_with_the_bos_token_unless_the_checkpoint_says_otherwise(
    tmp_path: Path, save_checkpoint: Callable[..., Path], load: Load
) -> None:
    prefix = ["<s>", "<decoder-only>", "</s>"]
    plain = load(save_checkpoint(tmp_path / "plain"))
    unixcoder = load(save_checkpoint(tmp_path / "unixcoder", linewise={"input_prefix": prefix}))
    request = ScoreRequest(prompt="p", code="x = 1")
    assert encode(request, plain).input.ids[0] == plain.tokenizer.bos_token_id
    assert unixcoder.tokenizer.convert_ids_to_tokens(encode(request, unixcoder).input.ids[:3]) == prefix
    assert encode(request, unixcoder).input.ids[3:] == encode(request, plain).input.ids[1:]


def _without_head(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights["classifier.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def _with_nan(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["classifier.bias"][0] = torch.nan
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def _cut_short(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])


def _pickled(folder: Path) -> None:
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def _without_tokenizer(folder: Path) -> None:
    for path in folder.glob("tokenizer*"):
        path.unlink()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (_without_head, "lacks weights, classifier.weight"),
        (_with_nan, "not finite"),
        (_cut_short, "model.safetensors can't be read"),
        (_pickled, "safetensors"),
        (_without_tokenizer, "has no tokenizer"),
    ],
)
def test_a_damaged_checkpoint_is_refused_with_the_reason(
    damage: Callable[[Path], None], reason: str, tmp_path: Path, save_checkpoint: Callable[..., Path], load: Load
) -> None:
    folder = save_checkpoint(tmp_path / "prm")
    damage(folder)
    with pytest.raises(CheckpointError, match=reason) as refusal:
        load(folder)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"linewise": {"input_prefix": ["<nowhere>"]}}, "'<nowhere>', which its tokenizer doesn't know"),
        ({"linewise": {"temperature": 0}}, "linewise.temperature"),
        ({"model_type": "nonesuch"}, "can't be loaded"),
    ],
)
def test_an_impossible_config_is_refused_with_the_reason(
    fields: dict[str, Any],
    reason: str,
    tmp_path: Path,
    save_checkpoint: Callable[..., Path],
    edit_config: Callable[..., None],
    load: Load,
) -> None:
    folder = save_checkpoint(tmp_path / "prm")
    edit_config(folder, **fields)
    with pytest.raises(CheckpointError, match=reason):
        load(folder)


def test_texts_are_tokenized_whole_though_the_checkpoint_pads_and_cuts(
    tmp_path: Path, save_checkpoint: Callable[..., Path], load: Load, prompt: str, programs: dict[str, str]
) -> None:
    texts = [prompt, "", "<s>", *programs.values()]
    expected = load(save_checkpoint(tmp_path / "plain"))
    folder = save_checkpoint(tmp_path / "cutting")
    saved = Tokenizer.from_file(str(folder / "tokenizer.json"))
    saved.enable_padding(length=16)
    saved.enable_truncation(max_length=4)
    saved.save(str(folder / "tokenizer.json"))
    ids = load(folder).tokenize(texts)
    assert ids == expected.tokenize(texts)
    assert ids == expected.tokenizer(texts, add_special_tokens=False)["input_ids"]
