"""What the phases ask of a policy, whatever its kind."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch.nn.functional import pad

Span = tuple[int, int]
"""A token's characters in the decoded text, as in `text[start:end]`."""


@dataclass(frozen=True, slots=True)
class Responses:
    """Programs that a policy wrote, one a row.

    `ids` `[batch, response]` long; `mask` `[batch, response]` bool, True = a real token, the final one that ends the
    response included; `logprobs` `[batch, response]`, the model's own at temperature 1 while it wrote, 0 behind the
    end; `texts` without special tokens and without the end; `finished[i]`: the policy ended program i by itself.
    """

    ids: torch.Tensor
    mask: torch.Tensor
    logprobs: torch.Tensor
    texts: list[str]
    finished: list[bool]

    @staticmethod
    def joined(parts: "Sequence[Responses]") -> "Responses":
        """The rows of all parts, one part after the other, padded to the longest."""
        width = max(part.ids.shape[1] for part in parts)
        return Responses(
            ids=torch.cat([pad(part.ids, (0, width - part.ids.shape[1])) for part in parts]),
            mask=torch.cat([pad(part.mask, (0, width - part.mask.shape[1])) for part in parts]),
            logprobs=torch.cat([pad(part.logprobs, (0, width - part.logprobs.shape[1])) for part in parts]),
            texts=[text for part in parts for text in part.texts],
            finished=[finished for part in parts for finished in part.finished],
        )


class Policy(Protocol):
    """A language model that writes programs for prompts."""

    def sample(
        self,
        prompts: Sequence[str],
        *,
        max_new_tokens: int,
        temperature: float = 1.0,
        top_p: float = 1.0,
        seed: int | None = None,
    ) -> Responses:
        """Write one program for each prompt; temperature 0 takes the likeliest token each time.

        The distribution is the model's own at that temperature (cut to the nucleus `top_p`), with no other warper,
        so at `top_p=1` `logprobs` describes it exactly. The same seed gives the same programs for the same batch.
        """

    def encode(self, codes: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Programs as responses that end well: ids and mask, both `[batch, response]`."""

    def logits(self, prompts: Sequence[str], ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """`[batch, response, vocabulary]`: row t predicts token t from the prompt and the tokens before it."""

    def logprobs(
        self, prompts: Sequence[str], ids: torch.Tensor, mask: torch.Tensor, temperature: float = 1.0
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Log-probability of each response token and the entropy of each prediction, both `[batch, response]`.

        One teacher-forced pass, under grad if grad is on. Positions where `mask` is False hold no meaning.
        """

    def spans(self, responses: Responses) -> list[list[Span]]:
        """For each row the characters of `texts[row]` that each real token completes: see `spans.token_spans`."""

    def save(self, folder: Path) -> None:
        """Write model (safetensors) and tokenizer; `load_policy(folder)` gives the same policy."""
