"""How prompts and responses become a model's inputs: the one place where the kinds of policy differ.

Encoder-decoder: the prompt is the encoder's input, the response the decoder's target. Decoder-only: prompt, newline,
response in one sequence, prompts padded on the left so that all responses start at the same column. Chat: decoder-only,
the prompt in the tokenizer's chat template, the response a fenced block. An encoder reads each distinct prompt of a
batch once.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch.nn.functional import pad as pad_columns
from transformers.modeling_outputs import BaseModelOutput

Inputs = dict[str, Any]
"""Keyword arguments of a Hugging Face model's `forward`."""

_FENCE = "```"
_OPENING = f"{_FENCE}python\n"


class Layout(Protocol):
    """Builds the inputs of one kind of model. `end_ids`: tokens that end a response, the first is the usual one."""

    end_ids: tuple[int, ...]

    def prompt_ids(self, tokenizer: Any, prompts: Sequence[str]) -> list[list[int]]:
        """The prompts as token ids, with the special tokens that the tokenizer adds by itself."""

    def teacher_forced(
        self, model: Any, prompts: Sequence[Sequence[int]], ids: torch.Tensor, mask: torch.Tensor
    ) -> Inputs:
        """Inputs, on the model's device, of one pass over whole responses, `ids` and `mask` `[batch, response]`."""

    def at_responses(self, states: torch.Tensor, length: int) -> torch.Tensor:
        """`[batch, response, ...]`: the states, of that pass, that predict each of `length` response tokens."""

    def opening(self, model: Any, prompts: Sequence[Sequence[int]]) -> Inputs:
        """Inputs of the pass that predicts the first token."""

    def following(self, inputs: Inputs, outputs: Any, tokens: torch.Tensor) -> Inputs:
        """Inputs of the pass behind it, with the key-value cache in `outputs` and the new `tokens` `[batch]`."""


class EncoderDecoder:
    """T5, CodeT5+ and their like."""

    def __init__(self, pad_id: int, eos_id: int, start_id: int) -> None:
        self.end_ids: tuple[int, ...] = (eos_id,)
        self._pad_id = pad_id
        self._start_id = start_id

    def prompt_ids(self, tokenizer: Any, prompts: Sequence[str]) -> list[list[int]]:
        ids: list[list[int]] = tokenizer(list(prompts)).input_ids
        return ids

    def teacher_forced(
        self, model: Any, prompts: Sequence[Sequence[int]], ids: torch.Tensor, mask: torch.Tensor
    ) -> Inputs:
        decoder_input_ids = pad_columns(ids[:, :-1], (1, 0), value=self._start_id).to(model.device)
        return {**self._encoded(model, prompts), "decoder_input_ids": decoder_input_ids}

    def at_responses(self, states: torch.Tensor, length: int) -> torch.Tensor:
        return states

    def opening(self, model: Any, prompts: Sequence[Sequence[int]]) -> Inputs:
        start_ids = torch.full((len(prompts), 1), self._start_id, dtype=torch.long, device=model.device)
        return {**self._encoded(model, prompts), "decoder_input_ids": start_ids}

    def following(self, inputs: Inputs, outputs: Any, tokens: torch.Tensor) -> Inputs:
        return {**inputs, "decoder_input_ids": tokens[:, None], "past_key_values": outputs.past_key_values}

    def _encoded(self, model: Any, prompts: Sequence[Sequence[int]]) -> Inputs:
        """The encoder's output for every prompt, computed once for each distinct one."""
        places = {prompt: place for place, prompt in enumerate(dict.fromkeys(map(tuple, prompts)))}
        input_ids, attention_mask = (rows.to(model.device) for rows in pad_rows(list(places), self._pad_id))
        states = model.get_encoder()(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        rows = torch.tensor([places[tuple(prompt)] for prompt in prompts], device=model.device)
        outputs = BaseModelOutput(last_hidden_state=states[rows])
        return {"encoder_outputs": outputs, "attention_mask": attention_mask[rows]}


class DecoderOnly:
    """Llama, Qwen, GPT-2 and their like."""

    def __init__(self, pad_id: int, eos_id: int) -> None:
        self.end_ids: tuple[int, ...] = (eos_id,)
        self._pad_id = pad_id

    def prompt_ids(self, tokenizer: Any, prompts: Sequence[str]) -> list[list[int]]:
        rows = tokenizer([prompt + "\n" for prompt in prompts]).input_ids
        return [row[:-1] if row[-1:] == [self.end_ids[-1]] else row for row in rows]

    def teacher_forced(
        self, model: Any, prompts: Sequence[Sequence[int]], ids: torch.Tensor, mask: torch.Tensor
    ) -> Inputs:
        prompt_ids, prompt_mask = (rows.to(model.device) for rows in pad_rows(prompts, self._pad_id, left=True))
        attention_mask = torch.cat([prompt_mask, mask[:, :-1].long().to(model.device)], dim=1)
        return {
            "input_ids": torch.cat([prompt_ids, ids[:, :-1].to(model.device)], dim=1),
            "attention_mask": attention_mask,
            "position_ids": _positions(attention_mask),
        }

    def at_responses(self, states: torch.Tensor, length: int) -> torch.Tensor:
        return states[:, -length:]

    def opening(self, model: Any, prompts: Sequence[Sequence[int]]) -> Inputs:
        input_ids, attention_mask = (rows.to(model.device) for rows in pad_rows(prompts, self._pad_id, left=True))
        return {"input_ids": input_ids, "attention_mask": attention_mask, "position_ids": _positions(attention_mask)}

    def following(self, inputs: Inputs, outputs: Any, tokens: torch.Tensor) -> Inputs:
        return {
            "input_ids": tokens[:, None],
            "attention_mask": pad_columns(inputs["attention_mask"], (0, 1), value=1),
            "position_ids": inputs["position_ids"][:, -1:] + 1,
            "past_key_values": outputs.past_key_values,
        }


class Chat(DecoderOnly):
    """A decoder-only model that follows instructions: asked in its chat template, answering in a fenced block.

    The prompt opens the block, so that the response is the program alone; the fence that closes it ends the response,
    and no program can hold three backticks in a row.
    """

    def __init__(self, pad_id: int, eos_id: int, fence_ids: Sequence[int]) -> None:
        super().__init__(pad_id, eos_id)
        self.end_ids = (*fence_ids, eos_id)

    def prompt_ids(self, tokenizer: Any, prompts: Sequence[str]) -> list[list[int]]:
        chats = [[{"role": "user", "content": prompt}] for prompt in prompts]
        texts = [tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True) for chat in chats]
        ids: list[list[int]] = tokenizer([text + _OPENING for text in texts], add_special_tokens=False).input_ids
        return ids


def layout_for(config: Any, tokenizer: Any, *, chat: bool = True) -> Layout:
    """The layout for a model of this configuration; `chat`: use the chat template, where the tokenizer has one."""
    pad_id, eos_id = tokenizer.pad_token_id, tokenizer.eos_token_id
    if config.is_encoder_decoder:
        start_id = getattr(config, "decoder_start_token_id", None)
        return EncoderDecoder(pad_id, eos_id, pad_id if start_id is None else start_id)
    fence_ids = _fence_ids(tokenizer) if chat and tokenizer.chat_template else []
    return Chat(pad_id, eos_id, fence_ids) if fence_ids else DecoderOnly(pad_id, eos_id)


def _fence_ids(tokenizer: Any) -> list[int]:
    """The tokens with a fence in them, the plain one first; none where the vocabulary has no plain one."""
    vocabulary = tokenizer.get_vocab()
    with_fence = sorted((token for token in vocabulary if _FENCE in token), key=len)
    return [vocabulary[token] for token in with_fence] if _FENCE in vocabulary else []


def pad_rows(rows: Sequence[Sequence[int]], pad_id: int, *, left: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of ids as one rectangle and its attention mask of 0 and 1, both `[batch, longest]` long."""
    width = max(len(row) for row in rows)

    def filled(row: Sequence[int], filler: int) -> list[int]:
        gap = [filler] * (width - len(row))
        return [*gap, *row] if left else [*row, *gap]

    ids = [filled(row, pad_id) for row in rows]
    real = [filled([1] * len(row), 0) for row in rows]
    return torch.tensor(ids, dtype=torch.long), torch.tensor(real, dtype=torch.long)


def _positions(attention_mask: torch.Tensor) -> torch.Tensor:
    """Positions that count real tokens only, so that left padding moves nothing."""
    return (attention_mask.cumsum(dim=1) - 1).clamp(min=0)
