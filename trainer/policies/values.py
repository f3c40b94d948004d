"""The value model: a backbone of its own and one number for each response token."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel

from trainer.errors import PolicyError
from trainer.policies.gguf import checkpoint_folder
from trainer.policies.models import ModelPolicy

_HEAD_FILE = "value_head.safetensors"


class ValueModel(torch.nn.Module):
    """V(s_t): the expected return before token t is written, from the prompt and the tokens before it.

    The backbone reads prompts and responses exactly as the policy does, so the two share a tokenizer. The head starts
    at zero: a new value model expects nothing.
    """

    def __init__(self, backbone: Any, policy: ModelPolicy) -> None:
        super().__init__()
        self.backbone = backbone.eval()
        self.head = torch.nn.Linear(backbone.config.hidden_size, 1)
        torch.nn.init.zeros_(self.head.weight)
        torch.nn.init.zeros_(self.head.bias)
        self._layout = policy.layout
        self._tokenizer = policy.tokenizer

    @classmethod
    def load(cls, folder: str | Path, policy: ModelPolicy, dtype: torch.dtype = torch.float32) -> Self:
        """The value model saved in `folder`, or a new one on the backbone of the language model there.

        Raises:
            PolicyError: nothing can be loaded, or its vocabulary is not the policy's.
        """
        folder = checkpoint_folder(folder)
        try:
            backbone = AutoModel.from_pretrained(str(folder), dtype=dtype)
        except (OSError, ValueError) as error:
            raise PolicyError(f"no value model can be loaded from {str(folder)!r}") from error
        if backbone.config.vocab_size != policy.model.config.vocab_size:
            raise PolicyError(f"the value model in {str(folder)!r} has another vocabulary than the policy")
        values = cls(backbone, policy)
        head_file = Path(folder) / _HEAD_FILE
        if head_file.exists():
            values.head.load_state_dict(load_file(head_file))
        return values.to(policy.device)

    def forward(self, prompts: Sequence[str], ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Values `[batch, response]` for `ids` and `mask` of that shape; masked positions hold no meaning."""
        inputs = self._layout.teacher_forced(self._layout.prompt_ids(self._tokenizer, prompts), ids, mask)
        device = self.head.weight.device
        outputs = self.backbone(**{name: value.to(device) for name, value in inputs.items()}, use_cache=False)
        states = self._layout.at_responses(outputs.last_hidden_state, ids.shape[1])
        values: torch.Tensor = self.head(states.to(self.head.weight.dtype)).squeeze(-1).float()
        return values

    def save(self, folder: Path) -> None:
        """Write backbone and head as safetensors; `load` reads them back."""
        self.backbone.save_pretrained(folder)
        save_file(self.head.state_dict(), Path(folder) / _HEAD_FILE)
