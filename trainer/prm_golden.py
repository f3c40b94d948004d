"""Golden scores: some held-out programs with the scores that the saved model gives them.

Whoever loads the checkpoint can tell by them whether he has the weights, the tokenizer, the input's opening and the
temperature that belong together; the scorer refuses a folder where they don't come out. They are made as the scorer
makes them, by a plain pass over each program, not over trees.
"""

import math
import random
from collections.abc import Iterable
from contextlib import suppress

import torch

from services.contracts import LabelRecord, Segment, StepKind, split_steps
from services.contracts.prm_checkpoint import GoldenProgram, GoldenScores
from services.contracts.prm_layout import InputTooLongError, lay_out
from trainer.prm_model import Backbone

_CANDIDATES = 64
_PROGRAMS = 8


def golden_scores(
    backbone: Backbone, records: Iterable[LabelRecord], temperature: float, seed: int
) -> GoldenScores | None:
    """The scores of some programs of different problems; None where all programs are too long.

    Of candidates chosen by the seed it takes those that the model is least sure of: a score near 0 or 1 hardly moves
    when the model does.
    """
    by_problem: dict[str, list[LabelRecord]] = {}
    for record in records:
        by_problem.setdefault(record.problem_id, []).append(record)
    rng = random.Random(seed)
    names = rng.sample(sorted(by_problem), min(_CANDIDATES, len(by_problem)))
    programs: list[GoldenProgram] = []
    for name in names:
        with suppress(InputTooLongError):
            programs.append(_score(backbone, rng.choice(by_problem[name]), temperature))
    programs.sort(key=_doubt, reverse=True)
    return GoldenScores(programs=programs[:_PROGRAMS]) if programs else None


def _doubt(program: GoldenProgram) -> float:
    """How sure the model is not: the variances of its scores, summed."""
    return math.fsum(score * (1 - score) for score in program.scores if score is not None)


def _score(backbone: Backbone, record: LabelRecord, temperature: float) -> GoldenProgram:
    segment = segment_of(record)
    scores = score_program(backbone, record.prompt, record.code, segment, temperature)
    return GoldenProgram(prompt=record.prompt, code=record.code, segment=segment, scores=scores)


@torch.no_grad()
def score_program(
    backbone: Backbone, prompt: str, code: str, segment: Segment, temperature: float
) -> list[float | None]:
    """The scores of a program's steps by a plain pass, as the scorer gives them; None for comments and blank steps.

    Raises:
        InputTooLongError: the model does not take so many tokens.
    """
    steps = split_steps(code, segment)
    laid_out = lay_out(
        prompt,
        [code[step.start : step.end] for step in steps],
        backbone.tokenize,
        prefix_ids=backbone.prefix_ids,
        max_tokens=backbone.max_tokens,
    )
    backbone.model.eval()
    ids = torch.tensor([laid_out.ids], device=backbone.model.device)
    logits = backbone.model(ids, attention_mask=torch.ones_like(ids)).logits[0, laid_out.positions]
    scores = (logits.float() / temperature).softmax(dim=1)[:, 1].tolist()
    return [score if step.kind is StepKind.CODE else None for step, score in zip(steps, scores, strict=True)]


def segment_of(record: LabelRecord) -> Segment:
    """The segment that cuts the code into the record's steps; lines where none does."""
    spans = [(step.start, step.end) for step in record.steps]
    for segment in Segment:
        if [(step.start, step.end) for step in split_steps(record.code, segment)] == spans:
            return segment
    return Segment.LINE
