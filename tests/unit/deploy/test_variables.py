"""Every LINEWISE_ variable that a deployment sets is one that its process reads."""

from typing import Any

import pytest

from services.client.endpoints import DEFAULT_URLS
from services.executor.settings import ExecutorSettings
from services.kit.settings import ServiceSettings
from services.labeler.settings import LabelerSettings
from services.scorer.settings import ScorerSettings

CLIENT = {
    "LINEWISE_API_KEY_FILE",
    *(f"LINEWISE_{name.upper()}_{what}" for name in DEFAULT_URLS for what in ("URL", "API_KEY_FILE")),
}


def _variables(settings: type[ServiceSettings]) -> set[str]:
    prefix = settings.model_config["env_prefix"]
    named = {name: str(it.validation_alias or f"{prefix}{name}".upper()) for name, it in settings.model_fields.items()}
    return {*named.values(), *(f"{named[name]}_FILE" for name in settings.in_files)}


KNOWN = {
    "scorer": _variables(ScorerSettings),
    "executor": _variables(ExecutorSettings),
    "labeler": _variables(LabelerSettings) | CLIENT,
    "worker": _variables(LabelerSettings) | CLIENT,
    "trainer": CLIENT,
}


@pytest.mark.parametrize("name", ["scorer", "executor", "labeler"])
def test_image_sets_variables_that_are_read(name: str, dockerfiles: dict[str, Any]) -> None:
    ours = _ours(dockerfiles[name].environment)
    assert ours
    assert ours <= KNOWN[name]


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_compose_sets_variables_that_are_read(name: str, compose: dict[str, Any]) -> None:
    ours = _ours(compose["services"][name]["environment"])
    assert ours
    assert ours <= KNOWN[name]


@pytest.mark.parametrize("name", ["scorer", "executor", "labeler", "worker", "trainer"])
def test_pod_sets_variables_that_are_read(
    name: str, pods: dict[str, Any], settings_map: dict[str, str], client_map: dict[str, str]
) -> None:
    (container,) = pods[name]["containers"]
    maps = [it["configMapRef"]["name"] for it in container["envFrom"]]
    assert len(maps) == (2 if name in ("labeler", "worker") else 1)
    ours = _ours(it["name"] for it in container["env"]) | (set() if name == "trainer" else _ours(settings_map))
    assert ours <= KNOWN[name]
    assert _ours(client_map) <= CLIENT


def test_whoever_needs_a_store_is_told_where_it_is(pods: dict[str, Any], compose: dict[str, Any]) -> None:
    for name in ("labeler", "worker"):
        for told in (
            {it["name"] for it in pods[name]["containers"][0]["env"]},
            compose["services"][name]["environment"],
        ):
            assert {"LINEWISE_DATABASE_URL_FILE", "LINEWISE_REDIS_URL_FILE"} <= set(told)


def _ours(names: Any) -> set[str]:
    return {name for name in names if name.startswith("LINEWISE_")}
