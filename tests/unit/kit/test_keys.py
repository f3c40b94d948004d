"""Keys: several at once, from settings and a file, rotated by changing the file."""

import logging
import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from services.kit.errors import StartupError
from services.kit.keys import Keys


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "keys"
    path.write_text("# who: ada\n  one \n\ntwo\n")
    return path


def replace(file: Path, text: str) -> None:
    """As an operator rotates keys: the new file is written beside and renamed into place."""
    new = file.with_suffix(".new")
    new.write_text(text)
    new.rename(file)


def test_every_key_of_settings_and_file_is_accepted_and_nothing_else(file: Path) -> None:
    keys = Keys([SecretStr("fixed"), SecretStr("naïve")], file)
    assert all(map(keys.accepts, ("fixed", "naïve", "one", "two")))
    assert not any(map(keys.accepts, ("", "on", "one ", "# who: ada", "\ud800", "two\n")))


def test_a_changed_file_gives_keys_and_takes_them_away_without_a_restart(file: Path) -> None:
    keys = Keys([], file)
    replace(file, "two\nthree\n")
    assert [keys.accepts(key) for key in ("one", "two", "three")] == [False, True, True]
    file.write_text("four\n")
    assert [keys.accepts(key) for key in ("two", "four")] == [False, True]


def test_a_secret_that_a_cluster_swaps_behind_a_link_is_noticed(tmp_path: Path) -> None:
    for version in ("old", "new"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "keys").write_text(f"{version}\n")
        os.utime(tmp_path / version / "keys", ns=(0, 0))
    current = tmp_path / "current"
    current.symlink_to("old")
    keys = Keys([], current / "keys")
    assert keys.accepts("old")
    (tmp_path / "next").symlink_to("new")
    (tmp_path / "next").rename(current)
    assert [keys.accepts("old"), keys.accepts("new")] == [False, True]


@pytest.mark.parametrize("content", [None, b"", b"# none\n", b"\xff\xfe"])
def test_a_file_of_no_use_leaves_the_keys_read_last_and_tells_nothing_of_itself(
    content: bytes | None, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keys = Keys([], file)
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    with caplog.at_level(logging.ERROR):
        assert keys.accepts("one")
    assert "the keys read last stay" in caplog.text
    replace(file, "three\n")
    assert [keys.accepts("one"), keys.accepts("three")] == [False, True]


@pytest.mark.parametrize("content", [None, b"", b"# none\n", b"\xff\xfe"])
def test_a_service_does_not_start_with_a_file_of_no_use(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(StartupError, match="LINEWISE_API_KEYS_FILE"):
        Keys([SecretStr("fixed")], file)


def test_keys_are_kept_as_digests(file: Path) -> None:
    assert "one" not in repr(vars(Keys([SecretStr("one")], file)))
