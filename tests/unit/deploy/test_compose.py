"""docker-compose.yml and its .env."""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

VARIABLE = re.compile(r"\$\{(?P<name>[A-Z_]+)(?P<rest>[^}]*)\}")
SECRETS = {"LINEWISE_API_KEYS", "LINEWISE_INNER_KEY", "POSTGRES_PASSWORD"}
SERVICES = ("scorer", "executor", "labeler", "worker", "trainer", "redis", "postgres")


def test_compose_has_every_part(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == set(SERVICES)


@pytest.mark.parametrize("name", SERVICES)
def test_service_is_confined(name: str, compose: dict[str, Any]) -> None:
    service = compose["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"][:1] == ["no-new-privileges:true"]
    assert service["security_opt"][1:] == [] or name == "executor"
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    assert not {"privileged", "cap_add", "devices", "network_mode", "pid", "ipc", "userns_mode"} & set(service)


def test_executor_has_no_way_out_and_no_published_port(compose: dict[str, Any]) -> None:
    executor = compose["services"]["executor"]
    assert executor["networks"] == ["sandbox"]
    assert compose["networks"]["sandbox"]["internal"] is True
    assert "ports" not in executor
    assert "volumes" not in executor


def test_executor_may_make_namespaces_and_little_else(compose: dict[str, Any], root: Path) -> None:
    executor = compose["services"]["executor"]
    assert executor["security_opt"][1:] == ["seccomp=docker/executor-seccomp.json", "apparmor=unconfined"]
    assert executor["environment"]["LINEWISE_ALLOW_WEAK_ISOLATION"].endswith(":-0}")
    [rule] = json.loads((root / "docker/executor-seccomp.json").read_text())["syscalls"]
    assert rule["action"] == "SCMP_ACT_ERRNO"
    refused = set(rule["names"])
    assert refused >= {"bpf", "init_module", "io_uring_setup", "kexec_load", "keyctl", "open_by_handle_at", "ptrace"}
    assert not refused & {
        "clone",
        "mount",
        "mount_setattr",
        "move_mount",
        "open_tree",
        "pivot_root",
        "setns",
        "unshare",
    }


def test_only_the_executors_callers_share_its_network(compose: dict[str, Any]) -> None:
    neighbours = {name for name, service in compose["services"].items() if "sandbox" in service["networks"]}
    assert neighbours == {"executor", "labeler", "worker", "trainer"}


def test_executor_is_told_one_secret_and_it_opens_no_neighbours_door(compose: dict[str, Any]) -> None:
    assert _secrets(compose, "executor", "LINEWISE_API_KEYS") == {"LINEWISE_INNER_KEY"}
    assert _secrets(compose, "executor") == {"LINEWISE_INNER_KEY"}
    assert _secrets(compose, "labeler", "LINEWISE_API_KEYS") == {"LINEWISE_API_KEYS"}


@pytest.mark.parametrize(("client", "server"), [("labeler", "executor"), ("worker", "executor"), ("trainer", "scorer")])
def test_client_shows_a_key_that_its_server_accepts(client: str, server: str, compose: dict[str, Any]) -> None:
    (shown,) = _secrets(compose, client, "LINEWISE_API_KEY")
    assert shown in _secrets(compose, server, "LINEWISE_API_KEYS")


def _secrets(compose: dict[str, Any], service: str, *variables: str) -> set[str]:
    """The secrets in some of a service's variables, or in all."""
    environment = compose["services"][service]["environment"]
    return {use["name"] for name in variables or environment for use in _used(environment[name])} & SECRETS


def test_ports_are_published_on_loopback_alone(compose: dict[str, Any]) -> None:
    published = {port for service in compose["services"].values() for port in service.get("ports", ())}
    assert published == {"127.0.0.1:8001:8001", "127.0.0.1:8003:8003"}


def test_images_are_built_from_their_dockerfiles_at_this_version(
    compose: dict[str, Any], dockerfiles: dict[str, Any], pyproject: dict[str, Any], root: Path
) -> None:
    version = pyproject["project"]["version"]
    built = {service["image"]: service["build"] for service in compose["services"].values() if "build" in service}
    assert set(built) == {f"linewise/{name}:{version}" for name in dockerfiles}
    for image, build in built.items():
        assert build["dockerfile"] == f"docker/{image.split('/')[1].split(':')[0]}.Dockerfile"
        assert (root / build["dockerfile"]).is_file()
        assert build["args"]["VERSION"] == version


def test_build_arguments_exist_in_their_dockerfile(compose: dict[str, Any], dockerfiles: dict[str, Any]) -> None:
    for name, image in dockerfiles.items():
        known = {argument.split("=")[0] for argument in image.values("ARG")}
        assert set(compose["services"][name]["build"]["args"]) <= known


def test_start_waits_for_health_that_something_measures(compose: dict[str, Any], dockerfiles: dict[str, Any]) -> None:
    waits = {name: service["depends_on"] for name, service in compose["services"].items() if "depends_on" in service}
    assert set(waits["labeler"]) == {"executor", "postgres", "redis"}
    assert set(waits["worker"]) == {"labeler"}
    for dependency, rule in ((it, rule) for rules in waits.values() for it, rule in rules.items()):
        assert rule == {"condition": "service_healthy"}
        image = dockerfiles.get(dependency)
        assert "healthcheck" in compose["services"][dependency] or (image and image.last("HEALTHCHECK") != ["NONE"])


def test_a_service_that_is_stopped_has_time_to_drain(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        drain_s = float(service.get("environment", {}).get("LINEWISE_DRAIN_S", 30))
        assert float(service["stop_grace_period"].removesuffix("s")) > drain_s


def test_urls_name_a_service_on_a_shared_network(compose: dict[str, Any]) -> None:
    urls = 0
    for service in compose["services"].values():
        for value in service.get("environment", {}).values():
            if "://" in value:
                host = urlsplit(VARIABLE.sub("x", value)).hostname
                assert set(compose["services"][host]["networks"]) & set(service["networks"])
                urls += 1
    assert urls == 8


def test_secrets_have_no_default_and_compose_refuses_without_them(root: Path) -> None:
    uses = _used((root / "docker-compose.yml").read_text())
    assert {use["name"] for use in uses if use["rest"].startswith(":?")} == SECRETS
    assert all(use["rest"].startswith(":?") for use in uses if use["name"] in SECRETS)


def test_example_has_every_variable_and_no_secret(root: Path) -> None:
    example = (root / "docker/.env.example").read_text()
    assert {use["name"] for use in _used((root / "docker-compose.yml").read_text())} == set(
        re.findall(r"^#?([A-Z_]+)=", example, re.MULTILINE)
    )
    assert set(re.findall(r"^([A-Z_]+)=$", example, re.MULTILINE)) == SECRETS


def _used(text: str) -> list[re.Match[str]]:
    return list(VARIABLE.finditer(text))
