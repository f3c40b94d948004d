"""Where a demo finds services that run."""

import pytest

from services.cli.demo.elsewhere import service_urls
from services.cli.errors import UsageError


def test_a_url_alone_is_a_host_with_the_usual_ports() -> None:
    assert service_urls(["https://house.test/"]) == {
        "scorer": "https://house.test:8001",
        "executor": "https://house.test:8002",
        "labeler": "https://house.test:8003",
    }


def test_a_named_url_counts_for_its_service_whatever_stands_first(monkeypatch: pytest.MonkeyPatch) -> None:
    for texts in (["http://[::1]:9", "scorer=http://s.test/x"], ["scorer=http://s.test/x", "http://[::1]:9"]):
        assert service_urls(texts) == {
            "scorer": "http://s.test/x",
            "executor": "http://[::1]:8002",
            "labeler": "http://[::1]:8003",
        }
    monkeypatch.setenv("LINEWISE_LABELER_URL", "http://l.test")
    assert service_urls(["scorer=http://s.test"])["labeler"] == "http://l.test"


@pytest.mark.parametrize("text", ["house.test", "trainer=http://house.test", "scorer=house.test:8001", "http://", "="])
def test_what_names_no_service_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="SERVICE=URL"):
        service_urls([text])
