"""Settings come from the environment, and the shared names stay the same for every service."""

from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.kit.errors import StartupError
from services.kit.server import refuse_open_door
from services.kit.settings import ServiceSettings


class OwnSettings(ServiceSettings):
    """A service's settings: a prefix of its own."""

    model_config = SettingsConfigDict(env_prefix="LINEWISE_OWN_")

    in_files: ClassVar[tuple[str, ...]] = ("queue_url",)

    workers: int = 1
    queue_url: str = Field("local", validation_alias="LINEWISE_QUEUE_URL")


def test_keys_are_split_at_commas_and_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINEWISE_API_KEYS", "eins, zwei,")
    settings = ServiceSettings()
    assert [key.get_secret_value() for key in settings.api_keys] == ["eins", "zwei"]
    assert "eins" not in repr(settings)


def test_a_service_has_its_own_prefix_and_the_shared_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINEWISE_OWN_WORKERS", "7")
    monkeypatch.setenv("LINEWISE_MAX_BODY_BYTES", "10")
    settings = OwnSettings()
    assert (settings.workers, settings.max_body_bytes) == (7, 10)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.test"])
def test_a_public_address_without_keys_is_refused(host: str) -> None:
    with pytest.raises(StartupError, match="LINEWISE_API_KEYS"):
        refuse_open_door(host, ServiceSettings())


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_needs_no_keys(host: str) -> None:
    refuse_open_door(host, ServiceSettings())


def test_keys_or_an_explicit_wish_open_a_public_address() -> None:
    refuse_open_door("0.0.0.0", ServiceSettings(api_keys="k"))
    refuse_open_door("0.0.0.0", ServiceSettings(api_keys_file="keys"))
    refuse_open_door("0.0.0.0", ServiceSettings(allow_anonymous=True))


def test_a_secret_may_stand_in_a_file_and_the_plain_variable_counts_before_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "url").write_text("redis://:secret@queue\n")
    monkeypatch.setenv("LINEWISE_QUEUE_URL_FILE", str(tmp_path / "url"))
    assert OwnSettings().queue_url == "redis://:secret@queue"
    monkeypatch.setenv("LINEWISE_QUEUE_URL", "redis://other")
    assert OwnSettings().queue_url == "redis://other"
    assert OwnSettings(queue_url="redis://given").queue_url == "redis://given"


def test_a_secrets_file_that_is_not_there_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LINEWISE_QUEUE_URL_FILE", str(tmp_path / "none"))
    with pytest.raises(StartupError, match=r"LINEWISE_QUEUE_URL_FILE .* No such file"):
        OwnSettings()


def test_an_empty_name_of_a_key_file_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINEWISE_API_KEYS_FILE", "")
    assert not ServiceSettings().wants_keys
