"""A Hugging Face token-classification checkpoint as a PRM; the one file that knows torch.

There is no model class of our own: `AutoModelForTokenClassification` builds RoBERTa/UniXcoder (whose `config.json`
must say `"is_decoder": true`), Llama-like and GPT-2-like models alike. With two labels a score is the softmax's
second probability, with one label the sigmoid. Only safetensors are read, and no code that a folder brings is run.

Before a model serves it is proved causal: a changed suffix moves no earlier logit, with padding and without, and a
prefix alone gets the logits that it gets inside the whole. Later tokens then can't leak into earlier scores, and one
pass scores all steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import transformers
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from services.contracts.prm_checkpoint import Calibration, Conventions
from services.contracts.prm_layout import SEPARATOR, PrmInput
from services.kit.errors import StartupError
from services.scorer.checkpoint import CheckpointError, read_conventions
from services.scorer.settings import Device, DType

_PROOF_TOKENS = 32
_LEAK = 1e-5
_ROUNDING: dict[DType, float] = {"float32": 1e-4, "bfloat16": 5e-2, "float16": 1e-2}


def choose_device(wanted: Device) -> Literal["cpu", "cuda"]:
    """The device to run on.

    Raises:
        StartupError: a GPU is asked for and torch sees none.
    """
    if wanted == "cuda" and not torch.cuda.is_available():
        raise StartupError("LINEWISE_SCORER_DEVICE is cuda, but torch sees no GPU; set it to cpu or auto")
    return "cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu"


def use_threads(threads: int | None) -> None:
    """Set how many CPU threads a pass takes; call it on the thread that runs the passes."""
    if threads is not None:
        torch.set_num_threads(threads)


@dataclass(frozen=True, slots=True, eq=False)
class TorchPrm:
    """A loaded checkpoint; see `services.scorer.prm.Prm`."""

    model: Any
    tokenizer: Any
    temperature: float
    prefix_ids: list[int]
    max_tokens: int
    rounding: float = 1e-4
    calibration: Calibration | None = None

    @property
    def architecture(self) -> str:
        return type(self.model).__name__

    @property
    def parameters(self) -> int:
        return int(self.model.num_parameters())

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        encoded = self.tokenizer(
            list(texts), add_special_tokens=False, return_attention_mask=False, return_token_type_ids=False
        )
        ids: list[list[int]] = encoded["input_ids"]
        return ids

    @torch.inference_mode()
    def score(self, inputs: Sequence[PrmInput]) -> list[list[float]]:
        logits = self.logits([item.ids for item in inputs])
        counts = [len(item.positions) for item in inputs]
        rows = torch.arange(len(inputs)).repeat_interleave(torch.tensor(counts))
        columns = torch.tensor([position for item in inputs for position in item.positions])
        at_steps = logits[rows.to(logits.device), columns.to(logits.device)].cpu() / self.temperature
        scores = at_steps.sigmoid()[:, 0] if at_steps.shape[1] == 1 else at_steps.softmax(dim=1)[:, 1]
        return [row.tolist() for row in torch.split(scores, counts)]

    def logits(self, ids: Sequence[Sequence[int]]) -> Tensor:
        """Float32 logits `[batch, tokens, labels]` of one pass, padded on the right to the longest."""
        padding = self.model.config.pad_token_id or 0
        rows = [torch.tensor(row) for row in ids]
        input_ids = pad_sequence(rows, batch_first=True, padding_value=padding)
        mask = pad_sequence([torch.ones_like(row) for row in rows], batch_first=True)
        device = self.model.device
        output = self.model(input_ids=input_ids.to(device), attention_mask=mask.to(device))
        logits: Tensor = output.logits.float()
        return logits


def load_prm(folder: Path, *, device: str, dtype: DType, max_tokens: int) -> TorchPrm:
    """Load `folder` and prove it causal; what it takes is bounded by `max_tokens` and by its own position table.

    Raises:
        CheckpointError: it can't be read, lacks weights, doesn't fit its tokenizer, or isn't causal.
    """
    conventions = read_conventions(folder)
    try:
        tokenizer, model = _read(folder, getattr(torch, dtype))
        prm = TorchPrm(
            model=model.to(device),
            tokenizer=tokenizer,
            temperature=conventions.temperature,
            prefix_ids=_prefix_ids(tokenizer, conventions),
            max_tokens=min(max_tokens, _positions(model) or max_tokens),
            rounding=_ROUNDING[dtype],
            calibration=conventions.calibration,
        )
        _check_fit(prm)
        prove_causal(prm, prm.rounding)
    except CheckpointError as error:
        raise CheckpointError(f"{folder} can't be served: {error}") from error
    except Exception as error:  # whatever a damaged file makes of the libraries that read it
        raise CheckpointError(f"{folder} can't be loaded: {_first_line(error)}") from error
    return prm


def _read(folder: Path, dtype: torch.dtype) -> tuple[Any, Any]:
    transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    model, report = transformers.AutoModelForTokenClassification.from_pretrained(
        folder,
        dtype=dtype,
        use_safetensors=True,
        disable_mmap=True,  # a mapped file that a trainer overwrites in place kills this process with SIGBUS
        local_files_only=True,
        trust_remote_code=False,
        output_loading_info=True,
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


@torch.inference_mode()
def prove_causal(prm: TorchPrm, rounding: float) -> None:
    """Raise `CheckpointError` unless logits depend on nothing behind them; also the model's warm-up."""
    length = min(_PROOF_TOKENS, prm.max_tokens)
    half = length // 2
    whole, other = _random_ids(prm, rows=2, length=length)
    changed, prefix = whole[:half] + other[half:], whole[:half]
    plain, padded = prm.logits([whole, changed]), prm.logits([whole, changed, prefix])
    if not padded.isfinite().all():
        raise CheckpointError("its logits are not finite")

    scale = max(1.0, float(padded.abs().max()))
    leak = max(float((logits[0, :half] - logits[1, :half]).abs().max()) for logits in (plain, padded))
    if leak > _LEAK * scale:
        raise CheckpointError(
            f"its attention is not causal, a changed suffix moves earlier logits by {leak:.2g}; "
            'a RoBERTa must be trained with "is_decoder": true in its config'
        )
    if (drift := float((padded[0, :half] - padded[2, :half]).abs().max())) > rounding * scale:
        raise CheckpointError(f"a prefix alone gets other logits than inside the whole, by {drift:.2g}")


def _random_ids(prm: TorchPrm, *, rows: int, length: int) -> list[list[int]]:
    vocabulary = prm.model.get_input_embeddings().num_embeddings
    ids: list[list[int]] = torch.randint(
        vocabulary, (rows, length), generator=torch.Generator().manual_seed(0)
    ).tolist()
    return ids
