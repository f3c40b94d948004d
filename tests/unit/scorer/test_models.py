from pathlib import Path
from typing import Any

import pytest

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
