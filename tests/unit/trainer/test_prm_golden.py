"""Golden scores: made by a plain pass, of the programs that tell the most."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForTokenClassification

from services.contracts import LabelRecord, Origin, Segment, StepLabel, split_steps
from services.contracts.prm_layout import lay_out
from trainer.prm_golden import golden_scores, segment_of
from trainer.prm_model import Backbone
from trainer.tokenizers import train_bpe

CODE = "def f(x):\n    # add\n    y = (x +\n         1)\n    return y\n"


def record(code: str = CODE, *, problem: str = "p/1", segment: Segment = Segment.LINE) -> LabelRecord:
    steps = [StepLabel(start=step.start, end=step.end) for step in split_steps(code, segment)]
    return LabelRecord(problem_id=problem, prompt="Add one.", code=code, origin=Origin.REFERENCE, steps=steps)


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    torch.manual_seed(0)
    tokenizer = train_bpe([CODE], 300)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = LlamaConfig(vocab_size=len(tokenizer), max_position_embeddings=128, initializer_range=0.3, **sizes)
    return Backbone(LlamaForTokenClassification(config).eval(), tokenizer)


@torch.no_grad()
def by_hand(backbone: Backbone, code: str, steps: Sequence[str], temperature: float) -> list[float]:
    laid_out = lay_out("Add one.", steps, backbone.tokenize, prefix_ids=backbone.prefix_ids)
    logits = backbone.model(torch.tensor([laid_out.ids])).logits[0, laid_out.positions]
    return [float(row[1]) for row in (logits / temperature).softmax(dim=1)]


def test_a_program_has_its_tempered_scores_and_null_for_its_comment(backbone: Backbone) -> None:
    golden = golden_scores(backbone, [record()], temperature=2.0, seed=0)
    assert golden is not None
    (program,) = golden.programs
    expected: list[Any] = by_hand(backbone, CODE, CODE.splitlines(), 2.0)
    expected[1] = None
    assert (program.prompt, program.code, program.segment) == ("Add one.", CODE, Segment.LINE)
    assert program.scores == pytest.approx(expected, abs=1e-5)


def test_the_segment_is_the_one_that_the_labels_were_cut_by() -> None:
    assert [segment_of(record(segment=segment)) for segment in Segment] == list(Segment)
    odd = record().model_copy(update={"steps": [StepLabel(start=0, end=3)]})
    assert segment_of(odd) is Segment.LINE


def test_no_more_than_eight_and_the_model_is_least_sure_of_them(backbone: Backbone) -> None:
    records = [record(f"x = {'1' * count}\n", problem=f"p/{count}") for count in range(1, 21)]
    golden = golden_scores(backbone, records, temperature=1.0, seed=0)
    assert golden is not None
    doubts = {
        item.code: (score := by_hand(backbone, item.code, [item.code.strip()], 1.0)[0]) * (1 - score)
        for item in records
    }
    assert {program.code for program in golden.programs} == set(sorted(doubts, key=doubts.__getitem__)[-8:])


def test_programs_that_are_too_long_are_passed_over(backbone: Backbone) -> None:
    too_long = record("x = 1\n" * 100, problem="p/2")
    assert golden_scores(backbone, [too_long], temperature=1.0, seed=0) is None
    golden = golden_scores(backbone, [too_long, record()], temperature=1.0, seed=0)
    assert golden is not None
    assert [program.code for program in golden.programs] == [CODE]
