"""Machines in miniature: network namespaces on a switch of their own, which nothing outside can reach."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

_IN_ITS_MOUNTS = 'mount --bind "$0" /etc/hosts && mount --bind "$1" /etc/host.conf && shift && exec "$@"'


class Network:
    """Machines by name, each with one address, and names that may stand for several of them."""

    def __init__(self, folder: Path, names: dict[str, list[str]]) -> None:
        """`names`: what a machine is called, to the machines that are meant."""
        self._folder = folder
        self._names = names
        self._machines = sorted({machine for machines in names.values() for machine in machines} | {"trainer"})
        self._running = ExitStack()

    def __enter__(self) -> "Network":
        self._add(self._namespace("switch"))
        self._ip("-n", self._namespace("switch"), "link", "add", "switch", "up", "type", "bridge")
        for number, machine in enumerate(self._machines):
            self._plug_in(machine, number)
        (self._folder / "hosts").write_text("127.0.0.1 localhost\n" + "".join(self._lines()))
        (self._folder / "host.conf").write_text("multi on\n")
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def start(self, machine: str, *command: str, **options: Any) -> subprocess.Popen[Any]:
        """Run a command on a machine; it is gone, with its own, when the network is."""
        argv = ["ip", "netns", "exec", self._namespace(machine), "sh", "-c", _IN_ITS_MOUNTS]
        files = [str(self._folder / name) for name in ("hosts", "host.conf")]
        process = subprocess.Popen([*argv, *files, *command], start_new_session=True, **options)
        self._running.callback(end, process)
        return process

    def address(self, machine: str) -> str:
        """The machine's address."""
        return f"10.77.0.{self._machines.index(machine) + 1}"

    def _plug_in(self, machine: str, number: int) -> None:
        namespace, switch = self._namespace(machine), self._namespace("switch")
        self._add(namespace)
        self._ip("link", "add", "eth0", "netns", namespace, "type", "veth", "peer", f"port{number}", "netns", switch)
        self._ip("-n", switch, "link", "set", f"port{number}", "master", "switch", "up")
        self._ip("-n", namespace, "address", "add", f"{self.address(machine)}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            self._ip("-n", namespace, "link", "set", device, "up")

    def _add(self, namespace: str) -> None:
        self._ip("netns", "add", namespace)
        self._running.callback(self._ip, "netns", "delete", namespace)

    def _namespace(self, machine: str) -> str:
        return f"lw{os.getpid()}-{machine}"

    def _lines(self) -> Iterator[str]:
        for name, machines in self._names.items():
            yield from (f"{self.address(machine)} {name}\n" for machine in machines)

    def _ip(self, *arguments: str) -> None:
        done = subprocess.run(["ip", *arguments], capture_output=True, text=True)
        assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"


def end(process: subprocess.Popen[Any]) -> None:
    """Kill a process and all of its session."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in filter(None, (process.stdout, process.stderr)):
        pipe.close()


@pytest.fixture
def require_namespaces() -> None:
    """Skip where network namespaces can't be made."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces are root's to make")
    if shutil.which("ip") is None:
        pytest.skip("iproute2 is not installed")
    if subprocess.run(["unshare", "--net", "--mount", "true"], capture_output=True).returncode:
        pytest.skip("this root may not make network namespaces")


@pytest.fixture
def network(require_namespaces: None, tmp_path: Path) -> Iterator[Network]:
    """Two executors behind one name, a scorer, a labeler, a trainer."""
    names = {"executor": ["executor1", "executor2"], "scorer": ["scorer"], "labeler": ["labeler"]}
    with Network(tmp_path, names) as network:
        yield network
