"""Settings come from the environment, and the shared names stay the same for every service."""

import pytest
from pydantic_settings import SettingsConfigDict

from services.kit.errors import StartupError
from services.kit.server import refuse_open_door
from services.kit.settings import ServiceSettings


class OwnSettings(ServiceSettings):
    """A service's settings: a prefix of its own."""

    model_config = SettingsConfigDict(env_prefix="LINEWISE_OWN_")

    workers: int = 1


def test_keys_are_split_at_commas_and_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINEWISE_API_KEYS", "one, two,")
    settings = ServiceSettings()
    assert [key.get_secret_value() for key in settings.api_keys] == ["one", "two"]
    assert "one" not in repr(settings)


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
    refuse_open_door("0.0.0.0", ServiceSettings(allow_anonymous=True))
