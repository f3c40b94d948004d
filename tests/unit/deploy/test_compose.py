"""docker-compose.yml, its .env and its secrets."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

VARIABLE = re.compile(r"\$\{(?P<name>[A-Z_]+)(?P<rest>[^}]*)\}")
SERVICES = ("scorer", "executor", "labeler", "worker", "migrate", "redis", "postgres")
ON_REQUEST = {"trainer": "trainer", "trainer-gpu": "gpu", "scorer-gpu": "gpu"} | dict.fromkeys(
    ("prometheus", "grafana"), "observability"
)


def test_compose_has_every_part_and_starts_the_usual_ones(compose: dict[str, Any]) -> None:
    profiles = {name: service.get("profiles") for name, service in compose["services"].items()}
    assert profiles == dict.fromkeys(SERVICES) | {name: [profile] for name, profile in ON_REQUEST.items()}


@pytest.mark.parametrize("name", [*SERVICES, *ON_REQUEST])
def test_service_is_confined(name: str, compose: dict[str, Any]) -> None:
    service = compose["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"][:1] == ["no-new-privileges:true"]
    assert service["security_opt"][1:] == [] or name == "executor"
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    assert ("reservations" in service["deploy"]["resources"]) is name.endswith("-gpu")
    assert not {"privileged", "cap_add", "devices", "network_mode", "pid", "ipc", "userns_mode"} & set(service)


def test_executor_has_no_way_out_and_no_published_port(compose: dict[str, Any]) -> None:
    executor = compose["services"]["executor"]
    assert executor["networks"] == ["sandbox"]
    assert compose["networks"]["sandbox"]["internal"] is True
    assert compose["networks"]["sandbox"]["driver_opts"] == {"com.docker.network.bridge.inhibit_ipv4": "true"}
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
    assert neighbours == {"executor", "labeler", "worker", "trainer", "trainer-gpu", "prometheus"}


def test_executor_is_told_one_secret_and_it_opens_no_other_door(compose: dict[str, Any]) -> None:
    assert compose["services"]["executor"]["secrets"] == ["inner_key"]
    accepted = {name: _file(compose, name, "LINEWISE_API_KEYS_FILE") for name in ("executor", "labeler", "scorer")}
    assert accepted == {"executor": "inner_key", "labeler": "api_keys", "scorer": "api_keys"}


@pytest.mark.parametrize("client", ["labeler", "worker", "trainer", "trainer-gpu"])
def test_client_shows_a_key_that_its_server_accepts(client: str, compose: dict[str, Any]) -> None:
    environment = compose["services"][client]["environment"]
    for server in (it for it in ("executor", "labeler", "scorer") if f"LINEWISE_{it.upper()}_URL" in environment):
        own = f"LINEWISE_{server.upper()}_API_KEY_FILE"
        shown = _file(compose, client, own if own in environment else "LINEWISE_API_KEY_FILE")
        assert shown == _file(compose, server, "LINEWISE_API_KEYS_FILE")


@pytest.mark.parametrize("name", [*SERVICES, *ON_REQUEST])
def test_service_is_given_the_secrets_that_it_reads_as_files_and_no_other(name: str, compose: dict[str, Any]) -> None:
    environment = compose["services"][name].get("environment", {})
    read = {_file(compose, name, it) for it in environment if environment[it].startswith("/run/secrets/")}
    assert read == set(compose["services"][name].get("secrets", ()))
    assert read <= set(compose["secrets"])


def _file(compose: dict[str, Any], service: str, variable: str) -> str:
    """The secret whose file a variable names."""
    path: str = compose["services"][service]["environment"][variable]
    assert path.startswith("/run/secrets/")
    return path.removeprefix("/run/secrets/")


def test_every_secret_is_made_once_and_is_a_file_beside_the_repository_or_elsewhere(
    compose: dict[str, Any], root: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "secrets"
    made, again = (_made_secrets(root, folder) for _ in range(2))
    assert made == again
    assert {it["file"] for it in compose["secrets"].values()} == {
        f"${{LINEWISE_SECRETS_DIR:-./secrets}}/{name}" for name in made
    }
    assert len(set(made.values())) == len(made)
    assert made["postgres_password"].strip() in made["database_url"]
    assert folder.stat().st_mode & 0o777 == 0o700


def _made_secrets(root: Path, folder: Path) -> dict[str, str]:
    subprocess.run([root / "docker/make-secrets.sh", folder], check=True)
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_ports_are_published_on_loopback_alone(compose: dict[str, Any]) -> None:
    published = {port for service in compose["services"].values() for port in service.get("ports", ())}
    assert published == {
        "127.0.0.1:8001:8001",
        "127.0.0.1:8003:8003",
        "127.0.0.1:8011:8001",
        "127.0.0.1:3000:3000",
    }


def test_images_are_built_from_their_dockerfiles_at_this_version(
    compose: dict[str, Any], dockerfiles: dict[str, Any], pyproject: dict[str, Any], root: Path
) -> None:
    version = pyproject["project"]["version"]
    built = {service["image"]: service["build"] for service in compose["services"].values() if "build" in service}
    plain = {f"linewise/{name}:{version}" for name in dockerfiles}
    assert set(built) == plain | {f"linewise/{name}:{version}-gpu" for name in ("scorer", "trainer")}
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
    assert set(waits) == {"labeler", "worker", "migrate", "grafana"}
    assert set(waits["labeler"]) == set(waits["worker"]) == {"executor", "migrate", "redis"}
    for dependency, rule in ((it, rule) for rules in waits.values() for it, rule in rules.items()):
        if dependency == "migrate":
            assert rule == {"condition": "service_completed_successfully"}
        else:
            assert rule == {"condition": "service_healthy"}
            image = dockerfiles.get(dependency)
            assert "healthcheck" in compose["services"][dependency] or (image and image.last("HEALTHCHECK") != ["NONE"])


def test_the_schema_is_brought_up_to_date_by_the_one_service_that_is_there_for_it(compose: dict[str, Any]) -> None:
    assert compose["services"]["migrate"]["command"] == ["linewise", "migrate"]
    for name in ("labeler", "worker"):
        assert compose["services"][name]["environment"]["LINEWISE_LABELER_MIGRATE_AT_START"] == "0"


def test_trainer_writes_where_the_scorer_reads(compose: dict[str, Any], dockerfiles: dict[str, Any]) -> None:
    services = compose["services"]
    assert "models:/models" in services["trainer"]["volumes"]
    assert services["scorer"]["volumes"] == ["models:/models:ro"]
    assert services["scorer"]["environment"]["LINEWISE_SCORER_MODELS"] == "prm=/models/prm"
    for name in ("scorer", "trainer"):
        assert re.search(r"--owner=10004 --group=10004 .*/models\b", dockerfiles[name].last("RUN")[0])


def test_a_service_that_is_stopped_has_time_to_drain(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        drain_s = float(service.get("environment", {}).get("LINEWISE_DRAIN_S", 30))
        assert float(service["stop_grace_period"].removesuffix("s")) > drain_s


def test_urls_name_a_service_on_a_shared_network(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for value in service.get("environment", {}).values():
            if value.startswith("http://"):
                host = urlsplit(value).hostname
                assert set(compose["services"][host]["networks"]) & set(service["networks"])


def test_example_has_every_variable_and_sets_none(root: Path) -> None:
    used = {it["name"] for it in VARIABLE.finditer((root / "docker-compose.yml").read_text())}
    example = (root / "docker/.env.example").read_text()
    assert used == set(re.findall(r"^#([A-Z_]+)=", example, re.MULTILINE))
    assert not re.findall(r"^[A-Z_]+=", example, re.MULTILINE)
