from pathlib import Path
from typing import Any

import pytest

from services.contracts import Calibration
from services.contracts.prm_checkpoint import GOLDEN_FILE, GoldenProgram, GoldenScores
from services.kit.errors import ConflictError, NotFoundError, StartupError, UnavailableError
from services.scorer.checkpoint import CheckpointError
from services.scorer.models import Models
from services.scorer.settings import ModelSource

A, B = ModelSource("a", Path("/a")), ModelSource("b", Path("/b"))


def test_the_first_model_is_the_default(another_prm: Any) -> None:
    models = Models([A, B], lambda _: another_prm())
    assert (models.get(None).name, models.get("b").name) == ("a", "b")
    assert [(info.name, info.default) for info in models.infos()] == [("a", True), ("b", False)]


def test_an_unknown_name_is_told_the_known_ones(another_prm: Any) -> None:
    with pytest.raises(NotFoundError, match="no model 'c'; there is a, b"):
        Models([A, B], lambda _: another_prm()).get("c")


def test_no_model_at_all_is_unavailable_whatever_the_name() -> None:
    models = Models([], lambda _: pytest.fail("nothing to load"))
    for name in (None, "a"):
        with pytest.raises(UnavailableError, match="--model DIR"):
            models.get(name)


def test_a_bad_checkpoint_at_the_start_is_a_startup_error() -> None:
    def refuse(folder: Path) -> Any:
        raise CheckpointError(f"{folder} is broken")

    with pytest.raises(StartupError, match="/a is broken"):
        Models([A], refuse)


async def test_a_reload_swaps_the_model_and_leaves_the_old_one_to_those_who_hold_it(another_prm: Any) -> None:
    models = Models([A], lambda _: another_prm())
    held = models.get("a")
    await models.reload("a")
    assert models.get("a").prm is not held.prm


async def test_a_bad_checkpoint_on_reload_keeps_the_old_model(another_prm: Any) -> None:
    folders: list[Path] = []

    def load_once(folder: Path) -> Any:
        if folders:
            raise CheckpointError("torn")
        folders.append(folder)
        return another_prm()

    models = Models([A], load_once)
    held = models.get("a")
    with pytest.raises(ConflictError, match="torn; the model loaded before goes on serving"):
        await models.reload("a")
    assert models.get("a") is held


def write_golden(folder: Path, score: float) -> None:
    program = GoldenProgram(prompt="p", code="xx", scores=[score])
    (folder / GOLDEN_FILE).write_text(GoldenScores(programs=[program]).model_dump_json())


def test_a_folder_with_golden_scores_says_that_they_match_and_one_without_says_nothing(
    tmp_path: Path, prm: Any
) -> None:
    source = ModelSource("a", tmp_path)
    assert Models([source], lambda _: prm).infos()[0].golden is None
    write_golden(tmp_path, 2 / 5)
    assert Models([source], lambda _: prm).infos()[0].golden == "ok"


def test_golden_scores_that_do_not_match_keep_it_from_starting(tmp_path: Path, prm: Any) -> None:
    write_golden(tmp_path, 0.9)
    with pytest.raises(StartupError, match="off its golden score"):
        Models([ModelSource("a", tmp_path)], lambda _: prm)


def test_calibration_is_told_where_the_folder_has_it(prm: Any) -> None:
    assert Models([A], lambda _: prm).infos()[0].calibration is None
    prm.calibration, prm.temperature = Calibration(accuracy=0.9), 1.5
    (info,) = Models([A], lambda _: prm).infos()
    assert (info.temperature, info.calibration) == (1.5, Calibration(accuracy=0.9))


async def test_a_checkpoint_that_is_not_there_yet_is_awaited_where_that_is_asked_for(
    another_prm: Any, tmp_path: Path
) -> None:
    awaited = ModelSource("awaited", tmp_path / "prm")
    models = Models([awaited, A], lambda _: another_prm(), await_missing=True)
    assert models.infos() == []
    assert models.lack is not None
    with pytest.raises(UnavailableError, match="POST /models/awaited/reload"):
        models.get(None)
    await models.reload("a")
    assert "awaited" in models.lack

    awaited.folder.mkdir()
    (awaited.folder / "config.json").touch()
    assert (await models.reload("awaited")).default
    assert [info.name for info in models.infos()] == ["awaited", "a"]
    assert models.lack is None
