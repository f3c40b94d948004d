import json
from pathlib import Path
from typing import Any

import pytest

from services.contracts.prm_checkpoint import GOLDEN_FILE, GoldenProgram, GoldenScores
from services.scorer.checkpoint import CheckpointError
from services.scorer.golden import check_golden, read_golden

CODE = "xx\n# c\n\ny"


def golden(*scores: float | None, code: str = CODE, tolerance: float = 1e-3) -> GoldenScores:
    return GoldenScores(tolerance=tolerance, programs=[GoldenProgram(prompt="p", code=code, scores=list(scores))])


def test_the_scores_that_the_model_gives_are_ok(prm: Any) -> None:
    assert check_golden(prm, golden(2 / 5, None, None, 2 / 12))


@pytest.mark.parametrize("distance", [0.0009, -0.0009])
def test_a_score_within_the_tolerance_is_ok(prm: Any, distance: float) -> None:
    assert check_golden(prm, golden(2 / 5 + distance, None, None, 2 / 12))


@pytest.mark.parametrize(
    "scores", [(0.4, None, None, 0.3), (0.41, None, None, 2 / 12), (0.4, None, None, float("nan"))]
)
def test_a_score_that_is_off_is_refused(prm: Any, scores: tuple[float | None, ...]) -> None:
    with pytest.raises(CheckpointError, match="off its golden score"):
        check_golden(prm, golden(*scores))


@pytest.mark.parametrize("scores", [(0.4, 0.4, None, 2 / 12), (0.4, None, None), (0.4, None, None, 2 / 12, 0.1)])
def test_scores_of_other_steps_are_refused(prm: Any, scores: tuple[float | None, ...]) -> None:
    with pytest.raises(CheckpointError, match="other steps"):
        check_golden(prm, golden(*scores))


def test_a_number_format_that_rounds_more_is_allowed_its_rounding(prm: Any) -> None:
    off = golden(0.43, None, None, 2 / 12)
    with pytest.raises(CheckpointError, match=r"0\.03 off its golden score, 0\.001 is allowed"):
        check_golden(prm, off)
    prm.rounding = 0.05
    assert check_golden(prm, off)


def test_programs_too_long_for_this_server_are_passed_over(prm: Any) -> None:
    prm.max_tokens = 5
    assert not check_golden(prm, golden(0, None, None, 0))
    short = GoldenProgram(prompt="p", code="xx", scores=[2 / 5])
    assert check_golden(prm, GoldenScores(programs=[*golden(0, None, None, 0).programs, short]))


def test_a_folder_without_them_has_none(tmp_path: Path) -> None:
    assert read_golden(tmp_path) is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "Invalid JSON"),
        (json.dumps({"programs": []}), "programs: "),
        (json.dumps({"programs": [{"prompt": "p", "code": "c", "scores": ["high"]}]}), r"programs\.0\.scores\.0: "),
        (json.dumps({"tolerance": 2, "programs": []}), "tolerance: "),
    ],
)
def test_unreadable_ones_are_refused_by_file_and_path(content: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / GOLDEN_FILE).write_text(content)
    with pytest.raises(CheckpointError, match=reason) as refusal:
        read_golden(tmp_path)
    assert GOLDEN_FILE in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    written = golden(0.25, None, code="a\n\n")
    (tmp_path / GOLDEN_FILE).write_text(written.model_dump_json())
    assert read_golden(tmp_path) == written
