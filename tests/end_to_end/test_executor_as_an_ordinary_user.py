"""The sandbox's own tests again, as a user who may do nothing: the full tier asks for no root.

Python and this checkout may lie in folders that are closed to that user. The run gets mounts of its own, in which a
closed folder shows nothing but what the run needs; the machine's own mounts and modes stay as they are.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from services.executor.inside import linux
from services.executor.planning import may_choose_users

CHECKOUT = Path(__file__).parents[2]
UID = 65_533
MOST_S = 300
_TESTS = (
    "test_hostile_*.py",
    "test_honest.py",
    "test_limits.py",
    "test_verdicts.py",
    "test_forgeries.py",
    "test_tiers.py",
)
_OPEN_TREE, _MOVE_MOUNT, _AT_FDCWD = 428, 429, -100
_OPEN_TREE_CLONE_WITH_ALL_BELOW, _MOVE_MOUNT_F_EMPTY_PATH = 0x8001, 4


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="these tests run as an ordinary user already")
@pytest.mark.skipif(os.geteuid() == 0 and not may_choose_users(), reason="this root may not become another user")
def test_the_sandbox_holds_where_an_ordinary_user_runs_it(user_namespaces: None) -> None:
    """In both tiers every test is passed, and none left out for want of namespaces."""
    results = run_as_an_ordinary_user()
    for tier in ("namespaces", "weak"):
        outcomes = [outcome for name, outcome in results.items() if tier in name]
        assert len(outcomes) > 60
        assert set(outcomes) == {"passed"}


@pytest.fixture
def user_namespaces() -> None:
    """Skip where this machine gives an ordinary user none: then there is nothing to hold."""
    probe = [sys.executable, "-S", "-c", "import ctypes; raise SystemExit(ctypes.CDLL(None).unshare(0x10000000) != 0)"]
    if subprocess.run(probe, preexec_fn=become_an_ordinary_user).returncode:
        pytest.skip("ordinary users have no user namespaces on this machine")


def run_as_an_ordinary_user() -> dict[str, str]:
    """How each test ended: `passed`, or what was reported of it."""
    tests = sorted(str(path) for name in _TESTS for path in (CHECKOUT / "tests/unit/executor").glob(name))
    with tempfile.TemporaryDirectory(prefix="linewise-ordinary-") as home:
        os.chown(home, UID, UID)
        run = subprocess.run(
            [
                *(sys.executable, "-P", "-m", "pytest", "-q", "-c", str(CHECKOUT / "pyproject.toml")),
                *(f"--rootdir={CHECKOUT}", f"--junitxml={home}/report.xml", "-p", "no:cacheprovider"),
                *tests,
            ],
            cwd=CHECKOUT,
            env={"PATH": os.defpath, "HOME": home, "TMPDIR": home, "PYTHONDONTWRITEBYTECODE": "1"},
            preexec_fn=become_an_ordinary_user,
            capture_output=True,
            text=True,
            timeout=MOST_S,
        )
        assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-4000:]
        cases = ElementTree.parse(f"{home}/report.xml").iter("testcase")
        return {str(case.get("name")): "passed" if not len(case) else str(case[0].get("message")) for case in cases}


def become_an_ordinary_user() -> None:
    """In a child: open what is closed to the user, in mounts of its own, and give up all that root has."""
    linux.unshare(linux.CLONE_NEWNS)
    linux.mount(None, "/", None, linux.MS_REC | linux.MS_PRIVATE)
    open_up([Path(sys.base_prefix), Path(sys.prefix), CHECKOUT])
    os.setgroups([])
    os.setresgid(UID, UID, UID)
    os.setresuid(UID, UID, UID)
    os.chdir(CHECKOUT)


def open_up(needed: Iterable[Path]) -> None:
    """Put, over each closed folder on the way to what is needed, one that holds that alone."""
    trees: dict[Path, dict[Path, int]] = {}
    for path in needed:
        if closed := next(
            (folder for folder in reversed((path, *path.parents)) if not folder.stat().st_mode & 1), None
        ):
            below = path.iterdir() if closed == path else [path]
            trees.setdefault(closed, {}).update((each, _tree(each)) for each in below)
    for closed, found in trees.items():
        linux.mount("open", str(closed), "tmpfs", 0, "mode=755")
        for path, tree in found.items():
            is_folder = os.path.isdir(f"/proc/self/fd/{tree}")
            path.mkdir(parents=True, exist_ok=True) if is_folder else path.touch()
            linux.syscall(_MOVE_MOUNT, tree, b"", _AT_FDCWD, bytes(path), _MOVE_MOUNT_F_EMPTY_PATH)
            os.close(tree)


def _tree(path: Path) -> int:
    return linux.syscall(_OPEN_TREE, _AT_FDCWD, bytes(path), _OPEN_TREE_CLONE_WITH_ALL_BELOW)
