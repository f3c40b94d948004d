"""A Hugging Face token-classification checkpoint as a PRM, on torch.

There is no model class of our own: `AutoModelForTokenClassification`'s classes are RoBERTa/UniXcoder (whose
`config.json` must say `"is_decoder": true`), Llama-like and GPT-2-like models alike. With two labels a score is the
softmax's second probability, with one label the sigmoid. Only safetensors are read, and no code that a folder brings is
run. Torch is known here and in `weights`, `linear`, `proof` and `hardware` beside it.

A causal model scores all steps in one pass, without a mask: what pads an input stands behind it, where nothing looks.
One that isn't causal is refused, or scores each step by a pass over its prefix where that is asked for.
On a CPU the rollouts of one prompt read it once (`services.scorer.shared_prompts`), if that is proved to move no logit.
"""

import copy
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor
from torch.nn.functional import pad
from torch.nn.utils.rnn import pad_sequence
from transformers import DynamicCache

from services.contracts.prm_checkpoint import Calibration, Conventions
from services.contracts.prm_layout import SEPARATOR, PrmInput
from services.scorer.checkpoint import CheckpointError, read_conventions
from services.scorer.grouping import group_by_length
from services.scorer.hardware import default_pass_tokens, give_back_memory, is_wide
from services.scorer.kept_prompts import KeptPrompts
from services.scorer.linear import quicken
from services.scorer.proof import (
    NotCausalError,
    is_proved_recorded,
    is_proved_to_share,
    prove_causal,
    prove_padding,
    random_ids,
)
from services.scorer.recorded import Recorded
from services.scorer.settings import DType
from services.scorer.shared_prompts import PromptUse, shared_prompt
from services.scorer.weights import read_weights
from services.scorer.words import Words

logger = logging.getLogger(__name__)

_WIDTH_STEP = 8
"""Where memory is spared a pass is as many tokens wide as a multiple of this."""

_ROUNDING: dict[DType, float] = {"float32": 1e-4, "int8": 5e-2, "bfloat16": 5e-2, "float16": 1e-2}


@dataclass(frozen=True, slots=True, eq=False)
class TorchPrm:
    """A loaded checkpoint; see `services.scorer.prm.Prm`.

    `forward` is `model`, what `torch.compile` made of it, or its recorded pass. With `spares_memory` (ADR 0071) widths
    are rounded up, and what a pass leaves in the heap is given back.
    """

    model: Any
    forward: Callable[..., Any]
    tokenizer: Any
    parameters: int
    temperature: float
    prefix_ids: list[int]
    max_tokens: int
    pass_tokens: int
    causal: bool = True
    spares_memory: bool = False
    rounding: float = 1e-4
    calibration: Calibration | None = None
    shares_prompts: bool = False
    kept: KeptPrompts = field(default_factory=KeptPrompts)
    words: Words | None = None

    @property
    def architecture(self) -> str:
        return type(self.model).__name__

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        if self.words is not None:
            return self.words.ids(texts)
        encoded = self.tokenizer(
            list(texts), add_special_tokens=False, return_attention_mask=False, return_token_type_ids=False
        )
        ids: list[list[int]] = encoded["input_ids"]
        return ids

    def score(self, inputs: Sequence[PrmInput]) -> list[list[float]]:
        scores = self._score(inputs)
        if self.spares_memory:
            give_back_memory()
        return scores

    @torch.inference_mode()
    def _score(self, inputs: Sequence[PrmInput]) -> list[list[float]]:
        if not self.causal:
            return self._score_prefixes(inputs)
        shared = self._shared(inputs)
        if self._hides_positions(inputs[0].ids[:shared]):
            return [row for item in inputs for row in self._score_once([item])]
        return self._score_once(inputs, shared)

    def prompt_use(self, inputs: Sequence[PrmInput]) -> PromptUse:
        shared = self._shared(inputs)
        prompt = inputs[0].ids[:shared]
        if self._hides_positions(prompt):
            return PromptUse()
        return PromptUse(shared, read=0 if prompt in self.kept else shared)

    def _shared(self, inputs: Sequence[PrmInput]) -> int:
        """How many tokens a pass leaves out for having read them before, or reads once for all."""
        if not self.shares_prompts:
            return 0
        first = inputs[0]
        alone = len(inputs) == 1 and first.ids[: first.prompt_tokens] in self.kept
        return first.prompt_tokens if alone else shared_prompt(inputs)

    def _hides_positions(self, prompt: Sequence[int]) -> bool:
        """Whether the prompt has a padding token, which RoBERTa doesn't count as a position."""
        return self.model.config.pad_token_id in prompt

    def _score_once(self, inputs: Sequence[PrmInput], shared: int = 0) -> list[list[float]]:
        """One pass over inputs that begin with the same `shared` tokens."""
        logits = self.logits([item.ids[shared:] for item in inputs], behind=inputs[0].ids[:shared])
        counts = [len(item.positions) for item in inputs]
        rows = torch.arange(len(inputs)).repeat_interleave(torch.tensor(counts))
        columns = torch.tensor([position - shared for item in inputs for position in item.positions])
        at_steps = logits[rows.to(logits.device), columns.to(logits.device)].cpu() / self.temperature
        scores = at_steps.sigmoid()[:, 0] if at_steps.shape[1] == 1 else at_steps.softmax(dim=1)[:, 1]
        return [row.tolist() for row in torch.split(scores, counts)]

    def _score_prefixes(self, inputs: Sequence[PrmInput]) -> list[list[float]]:
        """Each step by a pass over its prefix, prefixes of like length together."""
        prefixes = [PrmInput(item.ids[: at + 1], [at]) for item in inputs for at in item.positions]
        scores = [0.0] * len(prefixes)
        for group in group_by_length([len(prefix.ids) for prefix in prefixes], self.pass_tokens):
            for index, row in zip(group, self._score_once([prefixes[index] for index in group]), strict=True):
                scores[index] = row[0]
        remaining = iter(scores)
        return [[next(remaining) for _ in item.positions] for item in inputs]

    def logits(self, ids: Sequence[Sequence[int]], behind: Sequence[int] = ()) -> Tensor:
        """Float32 logits `[batch, tokens, labels]` of one pass, padded on the right to the longest.

        All rows stand behind the tokens `behind`, which have a short pass of their own and no logits here.
        """
        padding = self.model.config.pad_token_id or 0
        rows = [torch.tensor(row) for row in ids]
        fields = {"input_ids": pad_sequence(rows, batch_first=True, padding_value=padding)}
        if more := self._more_width(fields["input_ids"].shape[1], len(behind)):
            fields["input_ids"] = pad(fields["input_ids"], (0, more), value=padding)
        if not self.causal:
            fields["attention_mask"] = pad_sequence([torch.ones_like(row) for row in rows], batch_first=True)
        device = self.model.device
        seen = self._read(behind, len(rows)) if behind else {}
        output = self.forward(**{name: field.to(device) for name, field in fields.items()}, **seen)
        logits: Tensor = output.logits.float()
        return logits

    def _more_width(self, width: int, behind: int) -> int:
        """By how many columns of padding to widen a pass, so that oneDNN has few shapes to make and keep code for."""
        if not (self.spares_memory and self.causal):
            return 0
        return max(0, min(-width % _WIDTH_STEP, self.max_tokens - behind - width))

    def _read(self, ids: Sequence[int], rows: int) -> dict[str, Any]:
        """The arguments of a pass whose rows all stand behind `ids`."""
        kept = self.kept.copy(ids)
        cache = self._read_prompt(ids) if kept is None else kept
        cache.batch_repeat_interleave(rows)
        return {"past_key_values": cache, "use_cache": True}

    def _read_prompt(self, ids: Sequence[int]) -> DynamicCache:
        """The cache that a pass over `ids` leaves, kept for the next."""
        cache = DynamicCache(config=self.model.config)
        self.forward(input_ids=torch.tensor([ids], device=self.model.device), past_key_values=cache, use_cache=True)
        self.kept.keep(ids, cache)
        return copy.deepcopy(cache)


def load_prm(
    folder: Path,
    *,
    device: str,
    dtype: DType,
    max_tokens: int,
    pass_tokens: int | None = None,
    compiled: bool = False,
    allow_prefix_passes: bool = False,
) -> TorchPrm:
    """Load `folder` and prove it causal; what it takes is bounded by `max_tokens` and by its own position table.

    `pass_tokens`: of a pass, padding included; None: what suits device and width.

    Raises:
        CheckpointError: it can't be read, lacks weights, doesn't fit its tokenizer, or isn't causal.
    """
    conventions = read_conventions(folder)
    try:
        tokenizer, model = _read(folder, torch.float32 if dtype == "int8" else getattr(torch, dtype))
        width = model.get_input_embeddings().embedding_dim
        prm = TorchPrm(
            model=model.to(device),
            forward=model,
            tokenizer=tokenizer,
            parameters=int(model.num_parameters()),
            temperature=conventions.temperature,
            prefix_ids=_prefix_ids(tokenizer, conventions),
            max_tokens=min(max_tokens, _positions(model) or max_tokens),
            pass_tokens=pass_tokens or default_pass_tokens(device, width),
            spares_memory=is_wide(device, width),
            rounding=_ROUNDING[dtype],
            calibration=conventions.calibration,
            words=Words(tokenizer.backend_tokenizer) if tokenizer.is_fast else None,
        )
        _check_fit(prm)
        return _proved(_quickened(prm, dtype, compiled), allow_prefix_passes)
    except CheckpointError as error:
        raise CheckpointError(f"{folder} can't be served: {error}") from error
    except Exception as error:  # whatever a damaged file makes of the libraries that read it
        raise CheckpointError(f"{folder} can't be loaded: {_first_line(error)}") from error


def _read(folder: Path, dtype: torch.dtype) -> tuple[Any, Any]:
    transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    ours: dict[str, bool] = {"local_files_only": True, "trust_remote_code": False}
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **ours)
    if tokenizer.is_fast:
        tokenizer.backend_tokenizer.no_padding()
        tokenizer.backend_tokenizer.no_truncation()
    config = transformers.AutoConfig.from_pretrained(folder, **ours)
    model_class: Any = transformers.MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING[type(config)]
    model, report = model_class.from_pretrained(
        None, config=config, state_dict=read_weights(folder), dtype=dtype, output_loading_info=True
    )
    if missing := sorted(report["missing_keys"]):
        raise CheckpointError(f"it lacks weights, {missing[0]} for one; is it a token-classification checkpoint?")
    model.config.use_cache = False
    return tokenizer, model.eval()


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__


def _prefix_ids(tokenizer: Any, conventions: Conventions) -> list[int]:
    """What opens every input: the checkpoint's own prefix, or the beginning-of-sequence token, if it has one."""
    if conventions.input_prefix is None:
        opening = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.cls_token_id
        return [] if opening is None else [opening]
    vocabulary = tokenizer.get_vocab()
    if unknown := [token for token in conventions.input_prefix if token not in vocabulary]:
        raise CheckpointError(f"linewise.input_prefix has {unknown[0]!r}, which its tokenizer doesn't know")
    return [vocabulary[token] for token in conventions.input_prefix]


def _positions(model: Any) -> int | None:
    """How many tokens the position table has room for; RoBERTa's keeps the first rows, up to its padding, unused."""
    rows: int | None = getattr(model.config, "max_position_embeddings", None)
    table = getattr(getattr(model.base_model, "embeddings", None), "position_embeddings", None)
    padding = getattr(table, "padding_idx", None)
    return rows if rows is None or padding is None else rows - padding - 1


def _check_fit(prm: TorchPrm) -> None:
    labels = prm.model.config.num_labels
    if labels not in (1, 2):
        raise CheckpointError(f"it has {labels} labels; a PRM has two, or one")
    rows = prm.model.get_input_embeddings().num_embeddings
    if len(prm.tokenizer) > rows:
        raise CheckpointError(f"its tokenizer has {len(prm.tokenizer)} tokens, its model {rows}")
    if not prm.tokenize([SEPARATOR])[0]:
        raise CheckpointError("its tokenizer drops newlines, and a step's score is read at its newline")


def _quickened(prm: TorchPrm, dtype: DType, compiled: bool) -> TorchPrm:
    """The same model, made fast: by torch's compiler, or on a CPU by linear layers of our own."""
    on_cpu = prm.model.device.type == "cpu"
    if compiled:
        return replace(prm, forward=torch.compile(prm.model, dynamic=True, options={"freezing": on_cpu}))
    if on_cpu and dtype in ("float32", "int8"):
        quicken(prm.model, int8=dtype == "int8")
    return prm


def _proved(prm: TorchPrm, allow_prefix_passes: bool) -> TorchPrm:
    """The model as it may serve."""
    ids = random_ids(prm.model, prm.max_tokens)
    try:
        prove_causal(prm.logits, ids, prm.rounding)
    except NotCausalError as error:
        if not allow_prefix_passes:
            raise NotCausalError(
                f"{error}; LINEWISE_SCORER_ALLOW_PREFIX_PASSES=1 scores it as it is, by a pass for each step"
            ) from error
        prm = replace(prm, causal=False)
        prove_padding(prm.logits, ids, prm.rounding)
        return prm
    return _recorded(replace(prm, shares_prompts=_can_share(prm, ids)), ids)


def _can_share(prm: TorchPrm, ids: Sequence[Sequence[int]]) -> bool:
    """Whether a prompt may be read once for all: only where that was measured to pay, and if it changes no logit."""
    if prm.model.device.type != "cpu" or prm.forward is not prm.model:
        return False
    try:
        return is_proved_to_share(prm.logits, ids, prm.rounding)
    except Exception as error:  # whatever an architecture without such a cache makes of being given one
        logger.info("prompts are not shared", extra={"reason": _first_line(error)})
        return False


def _recorded(prm: TorchPrm, ids: Sequence[Sequence[int]]) -> TorchPrm:
    """The same model, its passes recorded: only where operations are short, and if that changes no logit."""
    if prm.model.device.type != "cpu" or prm.forward is not prm.model or prm.spares_memory:
        return prm
    try:
        recorded = replace(prm, forward=Recorded(prm.model, torch.tensor(ids)))
        return recorded if is_proved_recorded(recorded.logits, prm.logits, ids, prm.max_tokens) else prm
    except Exception as error:  # whatever an architecture that can't be recorded makes of it
        logger.info("passes are not recorded", extra={"reason": _first_line(error)})
        return prm
