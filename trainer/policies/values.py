"""Critics: a value model with a backbone of its own, and a head for the policy's trunk.

V(s_t) is the expected return before token t is written, from the prompt and the tokens before it. A new critic expects
nothing: its last layer starts at zero.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoModel, AutoTokenizer

from trainer.errors import PolicyError
from trainer.policies.gguf import checkpoint_folder
from trainer.policies.layouts import layout_for
from trainer.policies.loading import why_unreadable
from trainer.policies.models import ModelPolicy, computing_in
from trainer.policies.vocabulary import read_vocabulary_of

_HEAD_FILE = "value_head.safetensors"
_SHARED_FILE = "shared_head.safetensors"


class ValueModel(nn.Module):
    """A backbone of its own, of either kind, and one number for each response token.

    It reads the policy's own tokens, so that every token has a value: a backbone with another vocabulary is given the
    policy's at first (`trainer.policies.vocabulary`).
    """

    def __init__(self, backbone: Any, policy: ModelPolicy) -> None:
        super().__init__()
        self.backbone = backbone.eval()
        self.head = _zeroed(nn.Linear(backbone.config.hidden_size, 1))
        same_kind = backbone.config.is_encoder_decoder == policy.model.config.is_encoder_decoder
        self._layout = policy.layout if same_kind else layout_for(backbone.config, policy.tokenizer)
        self._tokenizer = policy.tokenizer
        self._precision = policy.precision

    @classmethod
    def load(cls, folder: str | Path, policy: ModelPolicy, dtype: torch.dtype = torch.float32) -> Self:
        """The value model saved in `folder`, or a new one on the backbone of the language model or PRM there.

        Raises:
            PolicyError: nothing can be loaded.
        """
        folder = checkpoint_folder(folder)
        try:
            backbone = AutoModel.from_pretrained(str(folder), dtype=dtype, use_safetensors=True)
            tokenizer = AutoTokenizer.from_pretrained(str(folder))
        except (OSError, ValueError) as error:
            raise PolicyError(f"no value model can be loaded from {str(folder)!r}: {why_unreadable(error)}") from error
        if tokenizer.get_vocab() != policy.tokenizer.get_vocab():
            read_vocabulary_of(backbone, tokenizer, policy.tokenizer, policy.model.config.vocab_size)
        values = cls(backbone, policy)
        head_file = Path(folder) / _HEAD_FILE
        if head_file.exists():
            values.head.load_state_dict(load_file(head_file))
        return values.to(policy.device)

    def forward(self, prompts: Sequence[str], ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Values `[batch, response]` for `ids` and `mask` of that shape; masked positions hold no meaning."""
        prompt_ids = self._layout.prompt_ids(self._tokenizer, prompts)
        with computing_in(self._precision, self.backbone.device):
            inputs = self._layout.teacher_forced(self.backbone, prompt_ids, ids, mask)
            outputs = self.backbone(**inputs, use_cache=False)
        states = self._layout.at_responses(outputs.last_hidden_state, ids.shape[1])
        values: torch.Tensor = self.head(states.to(self.head.weight.dtype)).squeeze(-1).float()
        return values

    def save(self, folder: Path) -> None:
        """Write backbone and head as safetensors, and the tokenizer that it reads; `load` reads them back."""
        self.backbone.save_pretrained(folder)
        self._tokenizer.save_pretrained(folder)
        save_file(self.head.state_dict(), Path(folder) / _HEAD_FILE)


class ValueHead(nn.Module):
    """A small perceptron on hidden states `[batch, response, width]`, values `[batch, response]`."""

    def __init__(self, width: int) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            inner = nn.Linear(width, width)
        self.layers = nn.Sequential(inner, nn.Tanh(), _zeroed(nn.Linear(width, 1)))

    @staticmethod
    def is_saved_in(folder: Path) -> bool:
        """True where `save` has written."""
        return (folder / _SHARED_FILE).exists()

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The head saved in `folder`."""
        weights = load_file(folder / _SHARED_FILE)
        head = cls(weights["layers.0.weight"].shape[0])
        head.load_state_dict(weights)
        return head

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        values: torch.Tensor = self.layers(states.float()).squeeze(-1)
        return values

    def save(self, folder: Path) -> None:
        """Write the weights; the trunk is the policy's and saved with it."""
        folder.mkdir(exist_ok=True)
        save_file(self.state_dict(), folder / _SHARED_FILE)


def _zeroed(layer: nn.Linear) -> nn.Linear:
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
