"""A PRM's backbone: built from nothing or loaded, always a plain causal token-classification model.

There is no model class of our own. `tiny` and `small` are Llama-like models with a tokenizer trained on the labels; any
other backbone is a folder or a name that `AutoModelForTokenClassification` loads. RoBERTa and UniXcoder get
`is_decoder=True` before construction: set afterwards it would leave their attention bidirectional. Leaves out training.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import (
    AutoConfig,
    AutoModelForTokenClassification,
    AutoTokenizer,
    LlamaConfig,
    LlamaForTokenClassification,
)
from transformers.utils.logging import disable_progress_bar, get_verbosity, set_verbosity, set_verbosity_error

from services.contracts.prm_checkpoint import GOLDEN_FILE, Calibration, Conventions, GoldenScores
from trainer.errors import PolicyError
from trainer.policies.gguf import checkpoint_folder
from trainer.policies.loading import why_unreadable
from trainer.prm_data import Node, Tree
from trainer.prm_layers import entered_at
from trainer.prm_tree import Batch, Pack, collate, pack_tree
from trainer.tokenizers import train_bpe

PRESETS: dict[str, dict[str, Any]] = {
    "tiny": {"hidden_size": 64, "intermediate_size": 160, "num_hidden_layers": 2, "num_attention_heads": 2},
    "small": {"hidden_size": 128, "intermediate_size": 320, "num_hidden_layers": 3, "num_attention_heads": 4},
    "base": {"hidden_size": 256, "intermediate_size": 640, "num_hidden_layers": 4, "num_attention_heads": 8},
}
"""Backbones built from nothing: 0.2, 0.8 and 3 million parameters with a vocabulary of 1,500."""

LABELS = {0: "negative", 1: "positive"}
_POSITIONS = 1024
_UNIXCODER_PREFIX = ("<s>", "<decoder-only>", "</s>")


@dataclass(frozen=True, slots=True)
class Backbone:
    """A model with two labels, its tokenizer, and what opens every input.

    Where its lowest `frozen_layers` do not learn, `below` tells what they make of a pack's tokens, `[tokens, width]`.
    """

    model: Any
    tokenizer: Any
    input_prefix: tuple[str, ...] | None = None
    frozen_layers: int = 0
    below: Callable[[Pack], Tensor] | None = None

    @property
    def prefix_ids(self) -> list[int]:
        """The ids that open every input, chosen as the scorer chooses them."""
        if self.input_prefix is not None:
            return [int(self.tokenizer.get_vocab()[token]) for token in self.input_prefix]
        opening = (
            self.tokenizer.bos_token_id if self.tokenizer.bos_token_id is not None else self.tokenizer.cls_token_id
        )
        return [] if opening is None else [int(opening)]

    @property
    def first_position(self) -> int:
        """The position of the first token: RoBERTa counts from behind its padding index, others from 0."""
        table = getattr(getattr(self.model.base_model, "embeddings", None), "position_embeddings", None)
        padding: int | None = getattr(table, "padding_idx", None)
        return 0 if padding is None else padding + 1

    @property
    def max_tokens(self) -> int:
        """How many tokens a prompt and a program may have together."""
        return int(self.model.config.max_position_embeddings) - self.first_position

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Texts to ids, no special token added."""
        encoded = self.tokenizer(
            list(texts), add_special_tokens=False, return_attention_mask=False, return_token_type_ids=False
        )
        ids: list[list[int]] = encoded["input_ids"]
        return ids

    def batch(self, packs: Sequence[Pack]) -> Batch:
        """The tensors of some packs on the model's device."""
        batch = collate(packs, int(self.model.config.pad_token_id or 0), self.model.device)
        if self.below is None:
            return batch
        below = pad_sequence([self.below(pack) for pack in packs], batch_first=True)
        return replace(batch, below=below.to(self.model.device))

    def forward(self, batch: Batch, *, hidden_states: bool = False) -> Any:
        """One pass over trees: an output with `logits` `[batch, tokens, 2]` and, if asked for, `hidden_states`."""
        entry = nullcontext() if batch.below is None else entered_at(self.model, self.frozen_layers, batch.below)
        with entry:
            return self.model(
                input_ids=batch.ids,
                attention_mask=batch.mask,
                position_ids=batch.depths + self.first_position,
                output_hidden_states=hidden_states,
            )

    def save(
        self,
        folder: Path,
        temperature: float,
        calibration: Calibration,
        metrics: dict[str, float | None],
        golden: GoldenScores | None,
    ) -> None:
        """Write safetensors, tokenizer, golden scores, and `config.json` with a section that other readers ignore."""
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        conventions = Conventions(temperature=temperature, input_prefix=self.input_prefix, calibration=calibration)
        section = {**conventions.model_dump(mode="json", exclude_none=True), "metrics": metrics}
        file = folder / "config.json"
        config = {**json.loads(file.read_text(encoding="utf-8")), "linewise": section}
        file.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        if golden is not None:
            (folder / GOLDEN_FILE).write_text(golden.model_dump_json(indent=2) + "\n", encoding="utf-8")


def build_backbone(name: str, texts: Iterable[str], vocabulary: int, dropout: float) -> Backbone:
    """The preset `name` with random weights and a tokenizer learnt from `texts`, or the checkpoint of that name.

    Raises:
        PolicyError: the name is no preset and nothing can be loaded by it, or its attention cannot be made a tree's.
    """
    disable_progress_bar()  # type: ignore[no-untyped-call]
    backbone = _from_nothing(PRESETS[name], texts, vocabulary, dropout) if name in PRESETS else _load(name)
    prove_tree_mask(backbone)
    return backbone


def _from_nothing(sizes: dict[str, Any], texts: Iterable[str], vocabulary: int, dropout: float) -> Backbone:
    tokenizer = train_bpe(texts, vocabulary)
    config = LlamaConfig(
        **sizes,
        vocab_size=len(tokenizer),
        max_position_embeddings=_POSITIONS,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        use_cache=False,
        **_labels(),
    )
    config.classifier_dropout = dropout
    return Backbone(LlamaForTokenClassification(config), tokenizer)  # type: ignore[no-untyped-call]


def _load(name: str) -> Backbone:
    name = str(checkpoint_folder(name))
    verbosity = get_verbosity()
    # a backbone has no classifier yet, which would be reported at length
    set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        config = AutoConfig.from_pretrained(name, **_labels())
        if hasattr(config, "is_decoder"):
            config.is_decoder = True
        config.use_cache = False
        model = AutoModelForTokenClassification.from_pretrained(
            name, config=config, dtype=torch.float32, use_safetensors=True
        )
        tokenizer = AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError) as error:
        presets = ", ".join(PRESETS)
        raise PolicyError(f"no backbone {name!r}: it is none of {presets}, and {why_unreadable(error)}") from error
    finally:
        set_verbosity(verbosity)
    if tokenizer.pad_token_id is not None:
        model.config.pad_token_id = tokenizer.pad_token_id
    is_unixcoder = _UNIXCODER_PREFIX[1] in tokenizer.get_vocab()
    return Backbone(model, tokenizer, _UNIXCODER_PREFIX if is_unixcoder else None)


def _labels() -> dict[str, Any]:
    return {"id2label": LABELS, "label2id": {label: index for index, label in LABELS.items()}}


@torch.no_grad()
def prove_tree_mask(backbone: Backbone) -> None:
    """Check that a pass over a tree gives a program the logits of a plain causal pass over it alone.

    Raises:
        PolicyError: it does not: the architecture ignores the mask or the positions, or is not causal.
    """
    backbone.model.eval()
    pack = proof_pack(backbone)
    path = [*range(5), *range(10, 15)]
    in_tree = backbone.forward(backbone.batch([pack])).logits[0, path]
    alone = _plain_logits(backbone, pack.ids[path].tolist())
    if not torch.allclose(in_tree, alone, atol=1e-4 * max(1.0, float(alone.abs().max()))):
        raise PolicyError(
            f"{type(backbone.model).__name__} cannot be trained on trees of steps: it needs a causal mask"
        )


def proof_pack(backbone: Backbone) -> Pack:
    """A root of five tokens with two steps of five, to hold one way through the model against another."""
    rows = len(backbone.tokenizer)
    root, left, right = (tuple((seed * 7 + at * 3) % rows for at in range(5)) for seed in (1, 2, 3))
    (pack,) = pack_tree(Tree("proof", [Node(None, root, 0), Node(0, left, 5), Node(0, right, 5)]), 99)
    return pack


def _plain_logits(backbone: Backbone, ids: list[int]) -> Tensor:
    logits: Tensor = backbone.model(
        torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long)
    ).logits
    return logits[0]
