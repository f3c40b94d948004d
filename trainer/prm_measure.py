"""A saved PRM against labels that others chose: its held-out problems are scored anew, nothing is trained."""

import random
from contextlib import suppress
from pathlib import Path

from sklearn.metrics import roc_auc_score
from transformers import AutoConfig

from services.contracts import AggregateForm, LabelRecord, Segment, Verdict
from services.contracts.prm_checkpoint import Conventions
from services.contracts.prm_layout import InputTooLongError
from trainer.best_of_n import aggregated
from trainer.classification import Report
from trainer.prm_config import PrmConfig
from trainer.prm_data import read_labels, split_by_problem
from trainer.prm_figures import held_out_reports, score_steps
from trainer.prm_golden import score_program
from trainer.prm_model import Backbone, build_backbone
from trainer.prm_parts import prepare

_PROGRAMS = 400


def measure_steps(checkpoint: Path, config: PrmConfig) -> dict[str, Report]:
    """What the PRM in `checkpoint` says of the steps that `config.labels` holds out: reports by selection of steps."""
    backbone, temperature = _load(checkpoint)
    split = split_by_problem(read_labels(config.labels), config.held_out, config.validation)
    part = prepare(split, backbone, config).held_out
    return held_out_reports(score_steps(backbone, part.packs, config.batch_tokens), temperature)


def program_auc(
    checkpoint: Path, config: PrmConfig, segment: Segment, form: AggregateForm = AggregateForm.MIN
) -> float | None:
    """How well the scores of a whole program, cut by `segment`, tell right programs from wrong ones: ROC-AUC.

    By the lowest score, unless another `form` is given. The programs are those of the held-out problems in
    `config.labels`, some 400 of them, the same for every PRM; None where all are right, or all wrong.
    """
    backbone, temperature = _load(checkpoint)
    records = split_by_problem(read_labels(config.labels), config.held_out, config.validation).held_out
    programs = {(record.prompt, record.code): record for record in records if _is_right(record) is not None}
    chosen = random.Random(0).sample(sorted(programs), min(_PROGRAMS, len(programs)))
    judged: list[float] = []
    right: list[bool] = []
    for prompt, code in chosen:
        with suppress(InputTooLongError):
            scores = score_program(backbone, prompt, code, segment, temperature)
            judged.append(aggregated(form, [score for score in scores if score is not None]))
            right.append(bool(_is_right(programs[prompt, code])))
    return float(roc_auc_score(right, judged)) if len(set(right)) == 2 else None


def _is_right(record: LabelRecord) -> bool | None:
    """Whether the whole program passes its tests; None where that is not known."""
    if record.verdict is None:
        return None
    return record.verdict is Verdict.ACCEPTED


def _load(checkpoint: Path) -> tuple[Backbone, float]:
    """The model with its tokenizer, and the temperature that its scores want."""
    section = getattr(AutoConfig.from_pretrained(checkpoint), "linewise", {})
    return build_backbone(str(checkpoint), (), 0, 0.0), Conventions.model_validate(section).temperature
