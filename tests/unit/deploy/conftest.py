"""What docker/, docker-compose.yml and k8s/ say, parsed."""

import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
OVERLAY = ROOT / "k8s/overlays/local"
SOURCES = (ROOT / "k8s/base", ROOT / "k8s/components/network-policies", ROOT / "k8s/components/training", OVERLAY)
KUBECTL = shutil.which(ROOT / ".venv-check/bin/kubectl") or shutil.which("kubectl")
NO_KUBECTL = "no kubectl: `make manifests` installs one"
CONTROLLERS = ("Deployment", "Job")
NOT_IN_THE_OVERLAY = {"kustomization.yaml", "model-loader.yaml"}


@dataclass(frozen=True)
class Dockerfile:
    """One image: its instructions, continuation lines joined, stage by stage."""

    name: str
    stages: list[list[tuple[str, str]]]

    def values(self, instruction: str) -> list[str]:
        """The arguments of every such instruction, in order."""
        return [value for stage in self.stages for name, value in stage if name == instruction]

    def last(self, instruction: str) -> list[str]:
        """The same in the last stage, the one that runs."""
        return [value for name, value in self.stages[-1] if name == instruction]

    @property
    def command(self) -> list[str]:
        """What a container runs when it is told nothing."""
        parts = self.last("ENTRYPOINT") + self.last("CMD")
        return [word for part in parts for word in json.loads(part)]

    @property
    def environment(self) -> dict[str, str]:
        """What ENV sets in the last stage."""
        return dict(pair.split("=", 1) for value in self.last("ENV") for pair in value.split())

    @classmethod
    def read(cls, path: Path) -> "Dockerfile":
        """Split `path` at its FROM instructions; what stands before the first is a stage of its own."""
        text = "\n".join(line for line in path.read_text().splitlines() if not line.startswith("#"))
        stages: list[list[tuple[str, str]]] = [[]]
        for line in re.sub(r"\\\n\s*", "", text).splitlines():
            if not line.strip():
                continue
            instruction, value = line.split(maxsplit=1)
            if instruction == "FROM":
                stages.append([])
            stages[-1].append((instruction, value.strip()))
        return cls(path.name.removesuffix(".Dockerfile"), stages)


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def pyproject() -> dict[str, Any]:
    """pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(scope="session")
def dockerfiles() -> dict[str, Dockerfile]:
    """Every image by its name."""
    files = [Dockerfile.read(path) for path in sorted((ROOT / "docker").glob("*.Dockerfile"))]
    return {file.name: file for file in files}


@pytest.fixture(scope="session")
def compose() -> dict[str, Any]:
    """docker-compose.yml, anchors resolved, variables as written."""
    parsed: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return parsed


def _files() -> Iterator[dict[str, Any]]:
    for path in sorted(path for folder in SOURCES for path in folder.glob("*.yaml")):
        if path.name not in NOT_IN_THE_OVERLAY:
            yield from (it for it in yaml.safe_load_all(path.read_text()) if isinstance(it, dict) and "kind" in it)


def _kustomized(overlay: Path) -> list[dict[str, Any]]:
    done = subprocess.run([str(KUBECTL), "kustomize", str(overlay)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


@pytest.fixture(scope="session")
def kustomized() -> Callable[[str], list[dict[str, Any]]]:
    """Every object of an overlay, as kustomize makes it."""
    if KUBECTL is None:
        pytest.skip(NO_KUBECTL)
    return lambda name: _kustomized(OVERLAY.parent / name)


@pytest.fixture(
    scope="session",
    params=[
        "files",
        pytest.param(
            "kustomize",
            marks=pytest.mark.skipif(KUBECTL is None, reason=NO_KUBECTL),
        ),
    ],
)
def manifests(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    """Every object of the local overlay, its base and components: as the files have them, and as kustomize does."""
    return list(_files()) if request.param == "files" else _kustomized(OVERLAY)


@pytest.fixture
def deployments(manifests: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The pod specification of every Deployment by its name."""
    found = {it["metadata"]["name"]: it["spec"]["template"]["spec"] for it in manifests if it["kind"] == "Deployment"}
    assert set(found) == {"scorer", "executor", "labeler", "worker", "redis", "postgres"}
    return found


@pytest.fixture
def pods(manifests: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The pod specification of every Deployment and Job by its name."""
    return {it["metadata"]["name"]: it["spec"]["template"]["spec"] for it in manifests if it["kind"] in CONTROLLERS}


def _literals(name: str) -> dict[str, str]:
    generators = yaml.safe_load((ROOT / "k8s/base/kustomization.yaml").read_text())["configMapGenerator"]
    (literals,) = [it["literals"] for it in generators if it["name"] == name]
    return dict(literal.split("=", 1) for literal in literals)


@pytest.fixture(scope="session")
def settings_map() -> dict[str, str]:
    """The ConfigMap that every pod reads."""
    return _literals("linewise")


@pytest.fixture(scope="session")
def client_map() -> dict[str, str]:
    """The ConfigMap of those who call services."""
    return _literals("linewise-clients")
