"""The sandboxes of workers: users of their own where there is a choice, refused where too weak."""

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from services.contracts import ExecuteRequest, Verdict
from services.executor.examination import examine
from services.executor.making import make_sandbox
from services.executor.planning import may_choose_users, sandbox_plans
from services.executor.sandbox import Bounds, Sandbox, Session
from services.executor.settings import ExecutorSettings

BOUNDS = Bounds(wall_s=5.0, cpu_s=5.0, memory_bytes=256 * 1024**2, output_bytes=65536, file_bytes=1024**2, processes=16)


@pytest.fixture(scope="module")
def pair() -> Iterator[list[Sandbox]]:
    """The sandboxes of two workers of one executor, weak where there is no more."""
    settings = ExecutorSettings(workers=2, packages=(), LINEWISE_ALLOW_WEAK_ISOLATION=True)
    plan = sandbox_plans(settings)
    made = [make_sandbox(plan(0)), make_sandbox(plan(1))]
    yield made
    for sandbox in made:
        sandbox.close()


def printed(sandbox: Sandbox, code: str) -> str:
    return sandbox.run(Session(code, (), BOUNDS, stdin=""), lambda _: True).usage.stdout or "nothing"


def test_workers_serve_side_by_side(pair: list[Sandbox]) -> None:
    for sandbox in pair:
        request = ExecuteRequest.model_validate({"code": "x = 1", "tests": ["assert x == 1"]})
        assert examine(request, BOUNDS, sandbox).verdict is Verdict.ACCEPTED


@pytest.mark.skipif(not may_choose_users(), reason="there is one user for all")
def test_the_programs_of_two_workers_are_two_users(pair: list[Sandbox]) -> None:
    """As the machine sees them: each sleeps for a while, and who that is is read from /proc."""
    from threading import Thread

    names = ["lw-user-of-one", "lw-user-of-two"]
    code = "import os\nos.execv('/bin/sh', ['sh', '-c', 'sleep 1; : {}'])"
    threads = [
        Thread(target=printed, args=(sandbox, code.format(name))) for sandbox, name in zip(pair, names, strict=True)
    ]
    for thread in threads:
        thread.start()
    found: dict[str, int] = {}
    while len(found) < 2 and any(thread.is_alive() for thread in threads):
        found |= {name: uid for name in names for uid in users_of(name)}
    for thread in threads:
        thread.join()
    assert len(found) == len(set(found.values())) == 2
    assert not set(found.values()) & {0, os.getuid(), 65534}


def users_of(marker: str) -> list[int]:
    found = []
    for name in os.listdir("/proc"):
        try:
            with open(f"/proc/{name}/cmdline", "rb") as file:
                if marker.encode() in file.read():
                    found.append(os.stat(f"/proc/{name}").st_uid)
        except OSError:
            continue
    return found


def test_an_ordinary_user_has_no_choice_of_users() -> None:
    ask = "import os\nfrom services.executor.planning import may_choose_users\nprint(os.geteuid(), may_choose_users())"

    def leave() -> None:
        if os.geteuid() == 0:
            drop_all_capabilities()

    run = subprocess.run([sys.executable, "-P", "-c", ask], preexec_fn=leave, capture_output=True, text=True)
    assert run.stdout.split()[1:] == ["False"], run


def drop_all_capabilities() -> Any:
    """Root in name alone, as in a container that has dropped them."""
    from services.executor.inside import linux

    linux.drop_bounding_set()
    linux.drop_capabilities()
