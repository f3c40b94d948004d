"""What a PRM's checkpoint folder says of itself beside its weights; the trainer writes it, the scorer reads it.

The folder is a plain Hugging Face token-classification checkpoint. Its `config.json` may have a section of ours, which
other readers ignore:

    "linewise": {"temperature": 1.4, "input_prefix": ["<s>", "<decoder-only>", "</s>"],
                 "calibration": {"date": "2026-01-31T12:00:00Z", "labels": 812, "accuracy": 0.91, "ece": 0.02}}

`temperature` divides the logits (fitted on validation labels; Guo et al. 2017, https://arxiv.org/abs/1706.04599).
`input_prefix` are the tokens that open every input, here UniXcoder's decoder-only convention
(https://github.com/microsoft/CodeBERT/tree/master/UniXcoder); without it an input opens with the tokenizer's
beginning-of-sequence token, or its classification token, if it has one. `calibration` says how far the scores can be
trusted. Beside it `golden_scores.json` may hold programs with the scores that the model gave them when it was saved:
whoever loads the folder can tell whether he loaded that model. Leaves out: reading and writing files.
"""

from datetime import datetime

from pydantic import Field

from services.contracts.base import Reply
from services.contracts.steps import Segment

GOLDEN_FILE = "golden_scores.json"


class Calibration(Reply):
    """Figures of the calibrated scores on labels that neither training nor the temperature has seen."""

    date: datetime | None = Field(None, description="When they were measured, ISO 8601.")
    labels: int | None = Field(None, ge=0, description="How many held-out labels they were measured on.")
    accuracy: float | None = Field(None, ge=0, le=1, description="At a threshold of one half.")
    ece: float | None = Field(None, ge=0, le=1, description="Expected calibration error, ten equal bins.")


class Conventions(Reply):
    """The `linewise` section of a checkpoint's `config.json`."""

    temperature: float = Field(1.0, gt=0, allow_inf_nan=False)
    input_prefix: tuple[str, ...] | None = None
    calibration: Calibration | None = None


class GoldenProgram(Reply):
    """A program and the scores of its steps, null for those that get none."""

    prompt: str
    code: str
    segment: Segment = Segment.LINE
    scores: list[float | None]


class GoldenScores(Reply):
    """`golden_scores.json`: what the model said when it was saved, in float32, and how far another may be from it."""

    tolerance: float = Field(1e-3, gt=0, lt=1)
    programs: list[GoldenProgram] = Field(min_length=1)
