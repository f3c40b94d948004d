"""How a prompt and a program become the PRM's input, the same where it is trained and where it is served.

    [bos] prompt newline | step newline | step newline | ...

Each part is tokenized alone and the ids are joined, so a step's tokens are the same whatever follows it, and the
score of a step is read at the newline behind it. That is the layout of TRL's `PRMTrainer` (step separator `"\\n"`),
which trains on prompts that end in a newline: https://huggingface.co/docs/trl/prm_trainer. Blank steps and comments
are part of the input like any other step; that they get no score is the service's business.

Leaves out: tensors, padding, batching. A tokenizer is anything that turns texts into lists of ids.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

SEPARATOR = "\n"

Tokenize = Callable[[Sequence[str]], Sequence[Sequence[int]]]
"""Texts to ids, one list a text, with no special tokens added."""


class InputTooLongError(ValueError):
    """The input has more tokens than the model takes; `tokens` and `max_tokens` say how many."""

    def __init__(self, tokens: int, max_tokens: int) -> None:
        super().__init__(f"the input has {tokens} tokens, the model takes {max_tokens}")
        self.tokens = tokens
        self.max_tokens = max_tokens


@dataclass(frozen=True, slots=True)
class PrmInput:
    """`ids`: the model's input. `positions[i]`: the index in `ids` at which step `i` is scored.

    `prompt_tokens`: how many of `ids` stand before the code.
    """

    ids: list[int]
    positions: list[int]
    truncated: bool = False
    prompt_tokens: int = 0


def lay_out(
    prompt: str,
    steps: Sequence[str],
    tokenize: Tokenize,
    *,
    prefix_ids: Sequence[int] = (),
    max_tokens: int | None = None,
    truncate_prompt: bool = False,
) -> PrmInput:
    """The PRM's input for a program cut into `steps`.

    `prefix_ids` open the input (the beginning-of-sequence token; UniXcoder's `<decoder-only>` sequence). With
    `truncate_prompt` the prompt's beginning is dropped as far as needed; the code is never cut.

    Raises:
        InputTooLongError: the input has more than `max_tokens` tokens, or would have without any prompt.
    """
    prompt_ids, separator_ids, *step_ids = tokenize([prompt + SEPARATOR, SEPARATOR, *steps])
    code_ids: list[int] = []
    ends: list[int] = []
    for ids in step_ids:
        code_ids += [*ids, *separator_ids]
        ends.append(len(code_ids) - 1)

    kept = list(prompt_ids)
    length = len(prefix_ids) + len(kept) + len(code_ids)
    if max_tokens is not None and length > max_tokens:
        excess = length - max_tokens
        if not truncate_prompt or excess > len(kept):
            raise InputTooLongError(length, max_tokens)
        kept = kept[excess:]
    offset = len(prefix_ids) + len(kept)
    return PrmInput(
        ids=[*prefix_ids, *kept, *code_ids],
        positions=[offset + end for end in ends],
        truncated=len(kept) < len(prompt_ids),
        prompt_tokens=offset,
    )
