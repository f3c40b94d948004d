"""Landlock's rules in a process of their own: what each right opens, and what none does."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from services.executor.inside import landlock

SCRIPT = """
import json, os, sys
from pathlib import Path
from services.executor.inside import landlock, linux
readable, devices, folder, listable, attempts = json.loads(sys.argv[1])
ruleset = landlock.make_ruleset(readable, devices, Path(folder), listable)
linux.forbid_new_privileges()
landlock.restrict(ruleset)
outcomes = []
for name, *arguments in attempts:
    try:
        getattr(os, name)(*arguments)
        outcomes.append("done")
    except OSError as error:
        outcomes.append(type(error).__name__)
os.write(1, json.dumps(outcomes).encode())
"""


@pytest.fixture(scope="module", autouse=True)
def landlock_here() -> None:
    try:
        landlock.version()
    except OSError as error:
        pytest.skip(f"no Landlock: {error}")


class Tree:
    """Folders to be bound to, and what becomes of attempts there."""

    def __init__(self, root: Path) -> None:
        names = "readable", "folder", "listable", "outside"
        self.readable, self.folder, self.listable, self.outside = (root / name for name in names)
        for each in (self.readable, self.folder, self.listable, self.outside):
            each.mkdir()
            (each / "file").write_text("x")

    def outcomes(self, *attempts: tuple[Any, ...]) -> list[str]:
        given = [[self.readable, "/nowhere"], ["/dev/null"], self.folder, [self.listable], attempts]
        arguments = json.dumps(given, default=str)
        run = subprocess.run([sys.executable, "-P", "-c", SCRIPT, arguments], capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        found: list[str] = json.loads(run.stdout)
        return found


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def test_what_is_readable_is_read_and_not_written(tree: Tree) -> None:
    file = tree.readable / "file"
    assert tree.outcomes(("open", file, 0), ("listdir", tree.readable)) == ["done", "done"]
    writes = [("open", file, 1), ("truncate", file, 0), ("unlink", file), ("mkdir", tree.readable / "new")]
    assert tree.outcomes(*writes, ("rename", file, tree.folder / "mine")) == ["PermissionError"] * 5
    assert file.read_text() == "x"


def test_the_folder_is_used_as_one_likes_but_not_executed_from(tree: Tree) -> None:
    file = tree.folder / "file"
    program = tree.folder / "program"
    program.write_bytes(Path("/bin/true").read_bytes())
    program.chmod(0o755)
    uses = [("open", file, 2), ("truncate", file, 0), ("mkdir", tree.folder / "new"), ("listdir", tree.folder)]
    uses += [("symlink", "/", tree.folder / "link"), ("mkfifo", tree.folder / "pipe"), ("unlink", file)]
    assert tree.outcomes(*uses) == ["done"] * 7
    assert tree.outcomes(("execv", program, [str(program)])) == ["PermissionError"]


def test_what_is_not_named_is_closed(tree: Tree) -> None:
    file = tree.outside / "file"
    attempts = [("open", file, 0), ("open", file, 1), ("listdir", tree.outside), ("unlink", file), ("listdir", "/")]
    attempts += [("mkdir", tree.outside / "new"), ("open", "/etc/passwd", 0)]
    assert set(tree.outcomes(*attempts)) == {"PermissionError"}
    assert tree.outcomes(("link", file, tree.folder / "mine")) == ["OSError"], "as if it were another file system"
    assert file.read_text() == "x"


def test_what_is_listable_is_listed_and_no_more(tree: Tree) -> None:
    file = tree.listable / "file"
    attempts = [("listdir", tree.listable), ("open", file, 0), ("unlink", file), ("mkdir", tree.listable / "new")]
    assert tree.outcomes(*attempts) == ["done", *["PermissionError"] * 3]


def test_a_link_opens_nothing(tree: Tree) -> None:
    (tree.folder / "link").symlink_to(tree.outside / "file")
    assert tree.outcomes(("open", tree.folder / "link", 0)) == ["PermissionError"]


def test_devices_are_used_and_not_made(tree: Tree) -> None:
    device = ("mknod", tree.folder / "device", 0o020666, 259)
    assert tree.outcomes(("open", "/dev/null", 2), ("open", "/dev/zero", 0), device) == [
        "done",
        "PermissionError",
        "PermissionError",
    ]


def test_rules_need_a_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        landlock.make_ruleset([], [], tmp_path / "nowhere", [])
