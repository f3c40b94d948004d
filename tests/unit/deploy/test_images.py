"""docker/*.Dockerfile and .dockerignore."""

import json
import subprocess
import sys
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from fastapi import FastAPI

from services.client.endpoints import DEFAULT_URLS

SERVERS = ("scorer", "executor", "labeler")
IMAGES = (*SERVERS, "trainer")
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
USERS = {"scorer": 10001, "executor": 10002, "labeler": 10003, "trainer": 10004}


def test_every_image_has_a_dockerfile(dockerfiles: dict[str, Any]) -> None:
    assert set(dockerfiles) == set(IMAGES)


@pytest.mark.parametrize("name", IMAGES)
def test_image_installs_its_own_extra_pinned_by_the_constraints(
    name: str, dockerfiles: dict[str, Any], pyproject: dict[str, Any]
) -> None:
    *_, installation = dockerfiles[name].values("RUN")[:-1]
    assert f'".[{name}${{EXTRAS:+,$EXTRAS}}]"' in installation
    assert "EXTRAS=" in dockerfiles[name].values("ARG")
    assert "--constraint constraints.txt" in installation
    assert name in pyproject["project"]["optional-dependencies"]


@pytest.mark.parametrize("name", IMAGES)
def test_torch_is_installed_only_where_the_extra_asks_for_it(
    name: str, dockerfiles: dict[str, Any], pyproject: dict[str, Any]
) -> None:
    asks = any(it.startswith("torch") for it in pyproject["project"]["optional-dependencies"][name])
    assert any(run.endswith(" torch") for run in dockerfiles[name].values("RUN")) is asks
    assert (f"TORCH_INDEX_URL={CPU_INDEX}" in dockerfiles[name].values("ARG")) is asks


def test_compose_builds_for_cpus_unless_told_otherwise_and_for_gpus_from_pypi(compose: dict[str, Any]) -> None:
    for name in ("scorer", "trainer"):
        arguments = [compose["services"][service]["build"]["args"] for service in (name, f"{name}-gpu")]
        assert [it["TORCH_INDEX_URL"] for it in arguments] == [
            f"${{TORCH_INDEX_URL-{CPU_INDEX}}}",
            "${TORCH_GPU_INDEX_URL-}",
        ]


@pytest.mark.parametrize("name", IMAGES)
def test_base_is_a_build_argument_with_python_3_11_slim_as_its_default(name: str, dockerfiles: dict[str, Any]) -> None:
    assert dockerfiles[name].values("ARG")[0] == "BASE=python:3.11-slim"
    assert dockerfiles[name].values("FROM") == ["${BASE} AS build", "${BASE}"]


@pytest.mark.parametrize("name", IMAGES)
def test_last_stage_installs_nothing_and_runs_as_a_numbered_user(name: str, dockerfiles: dict[str, Any]) -> None:
    image = dockerfiles[name]
    assert image.last("USER") == [f"{USERS[name]}:{USERS[name]}"]
    assert f"--uid {USERS[name]} " in image.last("RUN")[0]
    assert not any(word in run for run in image.last("RUN") for word in ("pip", "apt", "gcc", "make"))
    assert image.last("COPY") == ["--from=build /opt/linewise /opt/linewise"]
    assert any("org.opencontainers.image.title" in label for label in image.last("LABEL"))


def test_executor_image_has_no_problem_set_to_read_answers_from(dockerfiles: dict[str, Any], root: Path) -> None:
    assert list(root.glob("trainer/problems/data/*.jsonl"))
    assert {path.parent for path in root.glob("trainer/**/*.jsonl")} == {root / "trainer/problems/data"}
    steps = dockerfiles["executor"].stages[1]
    removal = steps.index(("RUN", "rm -r trainer/problems/data"))
    assert steps.index(("COPY", "trainer trainer")) < removal < len(steps) - 1


@pytest.mark.parametrize("name", SERVERS)
def test_server_listens_where_clients_look_and_says_so(name: str, dockerfiles: dict[str, Any]) -> None:
    image, port = dockerfiles[name], str(urlsplit(DEFAULT_URLS[name]).port)
    assert image.command == ["linewise", "serve", name, "--host", "0.0.0.0", "--port", port]
    assert image.last("EXPOSE") == [port]


@pytest.mark.parametrize("name", SERVERS)
def test_healthcheck_tells_an_answer_from_none(
    name: str, dockerfiles: dict[str, Any], serve: Callable[[FastAPI], str], free_port: int
) -> None:
    app = FastAPI()
    app.get("/healthz")(lambda: {"status": "ok"})
    assert _healthcheck(dockerfiles[name], name, urlsplit(serve(app)).port) == 0
    assert _healthcheck(dockerfiles[name], name, urlsplit(serve(FastAPI())).port) == 1, "404 is not health"
    assert _healthcheck(dockerfiles[name], name, free_port) == 1, "nor is silence"


def _healthcheck(image: Any, name: str, port: int | None) -> int:
    """Exit code of the image's own check, asked of `port` instead of the service's."""
    _, command = image.last("HEALTHCHECK")[0].split("CMD ", 1)
    python, option, program = json.loads(command)
    assert (python, option) == ("python", "-c")
    own = f"'127.0.0.1', {urlsplit(DEFAULT_URLS[name]).port},"
    assert own in program
    argv = [sys.executable, option, program.replace(own, f"'127.0.0.1', {port},")]
    return subprocess.run(argv, capture_output=True, timeout=30).returncode


def test_trainer_is_a_job_without_a_healthcheck(dockerfiles: dict[str, Any]) -> None:
    assert dockerfiles["trainer"].last("HEALTHCHECK") == ["NONE"]
    assert dockerfiles["trainer"].command == ["linewise", "train", "--help"]


@pytest.mark.parametrize("name", IMAGES)
def test_whatever_an_image_copies_is_let_in_by_dockerignore(name: str, dockerfiles: dict[str, Any], root: Path) -> None:
    for stage in dockerfiles[name].stages[:-1]:
        for _, value in (it for it in stage if it[0] == "COPY"):
            for source in value.split()[:-1]:
                assert (root / source).exists()
                assert _reaches_the_build(source, root), source


@pytest.mark.parametrize("kept_out", [".env", "secrets", ".git", ".venv", "runs", "services/__pycache__"])
def test_secrets_and_ballast_never_reach_a_build(kept_out: str, root: Path) -> None:
    assert not _reaches_the_build(kept_out, root)


def _reaches_the_build(path: str, root: Path) -> bool:
    """The last pattern of .dockerignore that matches decides."""
    reaches = True
    for line in (root / ".dockerignore").read_text().splitlines():
        if line and not line.startswith("#"):
            pattern = line.removeprefix("!").removeprefix("**/")
            if fnmatch(path, pattern) or (line.startswith("**/") and fnmatch(Path(path).name, pattern)):
                reaches = line.startswith("!")
    return reaches


def test_executor_shares_its_user_with_no_other_image(dockerfiles: dict[str, Any]) -> None:
    users = [image.last("USER")[0] for image in dockerfiles.values()]
    assert users.count(dockerfiles["executor"].last("USER")[0]) == 1
