"""The jail: namespaces of its own for the zygote, and a root of read-only mounts beside one small writable folder.

Entered once, before the first program: user, mount, network, IPC, UTS, cgroup and PID namespaces. There is no /proc and
no /sys in it, no network but a loopback that is down, and nothing of the machine's files but what `Plan` names. What a
program may write to is `FOLDER`, in memory, which the service empties behind each program.
"""

import errno
import os
import socket
import stat
from pathlib import Path
from typing import TypedDict

from services.executor.inside import linux

FOLDER = Path("/sandbox")
_ALSO_CALLED = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 (inside the jail they are the program's own)
ZYGOTE_UID, PROGRAM_UID = 0, 1000
_MOST_FILES = 10_000

_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442  # the same numbers on every architecture
_AT_FDCWD, _AT_EMPTY_PATH, _AT_RECURSIVE = -100, 0x1000, 0x8000
_OPEN_TREE_CLONE, _OPEN_TREE_CLOEXEC = 1, os.O_CLOEXEC
_MOVE_MOUNT_F_EMPTY_PATH = 4
_READ_ONLY_NO_SETUID = (3).to_bytes(8, "little") + bytes(24)  # `struct mount_attr`: attr_set, then nothing else


class Plan(TypedDict):
    """What the zygote is to be given.

    `readable` and `devices` are paths of this machine, found under the same names inside. `uids` are the users of the
    zygote and of its programs; null where the service may not choose, and both are the service's own user. `folder` is
    the program's, outside of namespaces; the jail only mounts its root there. `packages` are imported beforehand, from
    `paths`.
    """

    namespaces: bool
    readable: list[str]
    devices: list[str]
    uids: tuple[int, int] | None
    folder: str
    folder_bytes: int
    packages: list[str]
    paths: list[str]


def enter(plan: Plan) -> None:
    """Take this process into a jail; its next child is the first process of the jail's PID namespace.

    Raises:
        OSError: this machine does not allow it. The process must then end: it may be halfway in.
    """
    _leave_namespaces(plan["uids"])
    linux.mount(None, "/", None, linux.MS_REC | linux.MS_PRIVATE)
    trees = {path: _read_only_tree(path) for path in plan["readable"] if not Path(path).is_symlink()}
    links = {path: str(Path(path).readlink()) for path in plan["readable"] if Path(path).is_symlink()}
    trees |= {path: _tree(path) for path in plan["devices"]}
    owner = ZYGOTE_UID if plan["uids"] else PROGRAM_UID
    options = f"size=1m,nr_inodes={_MOST_FILES},mode=755,uid={owner},gid={owner}"
    linux.mount("linewise", plan["folder"], "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, options)
    os.chdir(plan["folder"])
    if plan["uids"]:
        _become_zygote()
    _furnish(trees, links, plan["folder_bytes"])
    _move_in()
    socket.sethostname("sandbox")


def _leave_namespaces(uids: tuple[int, int] | None) -> None:
    """New namespaces, and a mapping of users that somebody who stayed behind has to write."""
    ready, go = os.pipe()
    writer = os.fork()
    if writer == 0:
        os.close(go)
        status = 1
        try:
            if os.read(ready, 1):
                _write_maps(os.getppid(), uids)
            status = 0
        finally:
            os._exit(status)
    os.close(ready)
    try:
        linux.unshare(linux.NAMESPACES)
        os.write(go, b"!")
    finally:
        os.close(go)
        _, status = os.waitpid(writer, 0)
    if status:
        raise OSError(errno.EPERM, "the users of the jail can't be mapped")


def _write_maps(pid: int, uids: tuple[int, int] | None) -> None:
    process = Path(f"/proc/{pid}")
    if uids is None:
        maps = f"{PROGRAM_UID} {os.geteuid()} 1\n", f"{PROGRAM_UID} {os.getegid()} 1\n"
        (process / "setgroups").write_text("deny")
    else:
        both = "".join(
            f"{inside} {outside} 1\n" for inside, outside in zip((ZYGOTE_UID, PROGRAM_UID), uids, strict=True)
        )
        maps = both, both
    for name, text in zip(("uid_map", "gid_map"), maps, strict=True):
        (process / name).write_text(text)


def _become_zygote() -> None:
    os.setgroups([])
    os.setresgid(ZYGOTE_UID, ZYGOTE_UID, ZYGOTE_UID)
    os.setresuid(ZYGOTE_UID, ZYGOTE_UID, ZYGOTE_UID)


def _tree(path: str) -> int:
    """A descriptor of a copy of the mounts at and below `path`, to be put up elsewhere."""
    flags = _OPEN_TREE_CLONE | _OPEN_TREE_CLOEXEC | _AT_RECURSIVE
    return linux.syscall(_OPEN_TREE, _AT_FDCWD, path.encode(), flags)


def _read_only_tree(path: str) -> int:
    tree = _tree(path)
    flags = _AT_EMPTY_PATH | _AT_RECURSIVE
    linux.syscall(_MOUNT_SETATTR, tree, b"", flags, _READ_ONLY_NO_SETUID, len(_READ_ONLY_NO_SETUID))
    return tree


def _furnish(trees: dict[str, int], links: dict[str, str], folder_bytes: int) -> None:
    """Put everything in its place below the working folder, which is to be the root."""
    for path, tree in trees.items():
        here = Path(f".{path}")
        here.parent.mkdir(parents=True, exist_ok=True)
        if stat.S_ISDIR(os.fstat(tree).st_mode):
            here.mkdir(exist_ok=True)
        else:
            here.touch()
        linux.syscall(_MOVE_MOUNT, tree, b"", _AT_FDCWD, bytes(here), _MOVE_MOUNT_F_EMPTY_PATH)
        os.close(tree)
    for path, target in (*links.items(), *((name, str(FOLDER)) for name in _ALSO_CALLED)):
        here = Path(f".{path}")
        if not here.exists():  # where Python lies below /tmp, that is no name of the folder
            here.parent.mkdir(parents=True, exist_ok=True)
            here.symlink_to(target)
    folder = Path(f".{FOLDER}")
    folder.mkdir()
    options = f"size={folder_bytes},nr_inodes={_MOST_FILES},mode=700,uid={PROGRAM_UID},gid={PROGRAM_UID}"
    linux.mount("linewise", str(folder), "tmpfs", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC, options)


def _move_in() -> None:
    """Make the working folder the root and forget the old one; nothing can be added to it from then on."""
    linux.pivot_root(".", ".")
    linux.detach(".")
    os.chdir("/")
    flags = linux.MS_REMOUNT | linux.MS_BIND | linux.MS_RDONLY | linux.MS_NOSUID | linux.MS_NODEV
    linux.mount(None, "/", None, flags)
