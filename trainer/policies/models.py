"""The policy made of a Hugging Face model and its tokenizer, encoder-decoder and decoder-only alike.

The model stays in evaluation mode throughout: no dropout, so that a ratio of probabilities is exact.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Literal

import torch

from trainer.policies.decoding import choose, decode
from trainer.policies.layouts import layout_for, pad_rows
from trainer.policies.protocol import Responses, Span
from trainer.policies.spans import TokenSpans
from trainer.policies.spans import decode as decode_text

Precision = Literal["fp32", "bf16"]


class ModelPolicy:
    """See `Policy`. `model` is a causal or sequence-to-sequence language model, `tokenizer` its fast tokenizer.

    `chat`: where the tokenizer has a chat template, prompts are asked in it and programs come in a fenced block.
    """

    def __init__(self, model: Any, tokenizer: Any, *, chat: bool = True, precision: Precision = "fp32") -> None:
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.precision: Precision = precision
        self.layout = layout_for(model.config, tokenizer, chat=chat)
        self._spans = TokenSpans(tokenizer)

    @property
    def device(self) -> torch.device:
        """Where the model is; every tensor that comes back is there too."""
        device: torch.device = self.model.device
        return device

    def sample(
        self,
        prompts: Sequence[str],
        *,
        max_new_tokens: int,
        temperature: float = 1.0,
        top_p: float = 1.0,
        seed: int | None = None,
    ) -> Responses:
        generator = None if seed is None else torch.Generator(self.device).manual_seed(seed)
        with computing_in(self.precision, self.device):
            decoded = decode(
                self.model,
                self.layout,
                self.layout.prompt_ids(self.tokenizer, prompts),
                end_ids=self.layout.end_ids,
                pad_id=self.tokenizer.pad_token_id,
                max_new_tokens=max_new_tokens,
                pick=lambda logits, *_: choose(logits, temperature, top_p, generator),
            )
        rows = [row[real].tolist() for row, real in zip(decoded.ids, decoded.mask, strict=True)]
        return Responses(
            ids=decoded.ids,
            mask=decoded.mask,
            logprobs=decoded.logprobs,
            texts=[decode_text(self.tokenizer, self.without_end(row)) for row in rows],
            finished=[row[-1] in self.layout.end_ids for row in rows],
        )

    def encode(self, codes: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        rows = self.tokenizer(list(codes), add_special_tokens=False).input_ids
        ids, real = pad_rows([[*row, self.layout.end_ids[0]] for row in rows], self.tokenizer.pad_token_id)
        return ids.to(self.device), real.bool().to(self.device)

    def logits(self, prompts: Sequence[str], ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return self.layout.at_responses(self._forward(prompts, ids, mask).logits, ids.shape[1])

    def logits_and_states(
        self, prompts: Sequence[str], ids: torch.Tensor, mask: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """`logits`, and the last hidden states that they are made of, `[batch, response, width]`, from one pass."""
        outputs = self._forward(prompts, ids, mask, output_hidden_states=True)
        states = outputs.decoder_hidden_states if self.model.config.is_encoder_decoder else outputs.hidden_states
        length = ids.shape[1]
        return self.layout.at_responses(outputs.logits, length), self.layout.at_responses(states[-1], length)

    def logprobs(
        self, prompts: Sequence[str], ids: torch.Tensor, mask: torch.Tensor, temperature: float = 1.0
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return token_logprobs(self.logits(prompts, ids, mask), ids, temperature)

    def without_end(self, row: list[int]) -> list[int]:
        """A response's ids without the token that ends it, where there is one."""
        return row[:-1] if row and row[-1] in self.layout.end_ids else row

    def spans(self, responses: Responses) -> list[list[Span]]:
        rows = zip(responses.ids, responses.mask, responses.texts, strict=True)
        return [self._row_spans(row[real].tolist(), text) for row, real, text in rows]

    def _row_spans(self, row: list[int], text: str) -> list[Span]:
        """A response's spans; the token that ends it completes no character."""
        program = self.without_end(row)
        return [*self._spans.of(program, text), *[(len(text), len(text))] * (len(row) - len(program))]

    def save(self, folder: Path) -> None:
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)

    def _forward(self, prompts: Sequence[str], ids: torch.Tensor, mask: torch.Tensor, **options: bool) -> Any:
        prompt_ids = self.layout.prompt_ids(self.tokenizer, prompts)
        with computing_in(self.precision, self.device):
            inputs = self.layout.teacher_forced(self.model, prompt_ids, ids, mask)
            return self.model(**inputs, use_cache=False, **options)


def computing_in(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """A context in which models compute in `precision`; their weights stay as they are."""
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()


def token_logprobs(
    logits: torch.Tensor, ids: torch.Tensor, temperature: float = 1.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probabilities of `ids` and entropies, `[batch, response]`, from logits `[batch, response, vocabulary]`."""
    everything = torch.log_softmax(logits.float() / temperature, dim=-1)
    entropy = -(everything.exp() * everything).sum(dim=-1)
    return everything.gather(-1, ids[..., None]).squeeze(-1), entropy
