"""What is said beside a figure on MBPP."""

import pytest

from trainer.problems import load_problems, overlap_note


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("mbpp:1-100,501-600", "No phase trains on these 200 MBPP ids. The usual test split, 11-510, is another one"),
        ("mbpp:11-510", "Not held out: of these 500 MBPP ids PPO trains on 400"),
        (
            "mbpp-plus",
            "Not held out: of these 378 MBPP ids PPO trains on 177 (101-500), SFT and the PRM's labels use 108",
        ),
    ],
)
def test_overlap_with_training_is_said(spec: str, said: str) -> None:
    note = overlap_note(load_problems(spec))
    assert note is not None and note.startswith(said)


def test_other_problems_need_no_note() -> None:
    assert overlap_note(load_problems("humaneval:0-3")) is None
