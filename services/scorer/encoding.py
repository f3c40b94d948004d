"""A request becomes a model's input: the code cut into steps, laid out as in training, scored at the code steps."""

from dataclasses import dataclass, replace

from services.contracts import ScoreRequest, Step, StepKind, split_steps
from services.contracts.prm_layout import PrmInput, lay_out
from services.scorer.prefix_cache import PrefixKey, prefix_keys
from services.scorer.prm import Prm


@dataclass(frozen=True, slots=True)
class Encoded:
    """A program ready for the model; step `scored_steps[i]` is scored at `input.positions[i]`, and `keys[i]` names
    all that its score depends on."""

    steps: list[Step]
    scored_steps: list[int]
    input: PrmInput
    keys: list[PrefixKey]


def encode(request: ScoreRequest, prm: Prm) -> Encoded:
    """Cut the code into steps and lay it out for `prm`.

    Raises:
        InputTooLongError: the model doesn't take that many tokens.
    """
    steps = split_steps(request.code, request.segment)
    laid_out = lay_out(
        request.prompt,
        [request.code[step.start : step.end] for step in steps],
        prm.tokenize,
        prefix_ids=prm.prefix_ids,
        max_tokens=prm.max_tokens,
        truncate_prompt=request.truncate == "prompt",
    )
    scored = [step.index for step in steps if step.kind is StepKind.CODE]
    item = replace(laid_out, positions=[laid_out.positions[index] for index in scored])
    return Encoded(steps, scored, item, prefix_keys(item))
