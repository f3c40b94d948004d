"""Landlock: what a process may open, whoever it is; made once in the zygote, put in force in each child.

Everything below the given paths may be read and executed, devices read and written, the program's folder used as it
likes but for executing from it. With newer kernels no TCP, and no signal or abstract socket reaches beyond the child.
Reference: https://docs.kernel.org/userspace-api/landlock.html
"""

import ctypes
import os
import struct
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from services.executor.inside.linux import syscall

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION, _PATH_BENEATH = 1, 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_MAKE_CHARACTER_DEVICE, _MAKE_BLOCK_DEVICE = 1 << 6, 1 << 11
_REFER, _TRUNCATE, _IOCTL_DEVICE = 1 << 13, 1 << 14, 1 << 15
_RIGHTS_BY_VERSION = {1: _REFER - 1, 2: _TRUNCATE - 1, 3: _IOCTL_DEVICE - 1, 4: _IOCTL_DEVICE - 1}
_ALL_RIGHTS = (_IOCTL_DEVICE << 1) - 1
_BIND_AND_CONNECT_TCP = 3
_ABSTRACT_SOCKETS_AND_SIGNALS = 3
_NETWORK_SINCE, SIGNALS_SINCE = 4, 6


def version() -> int:
    """The kernel's Landlock version.

    Raises:
        OSError: there is no Landlock.
    """
    return syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _ASK_VERSION)


def make_ruleset(readable: Iterable[str], devices: Iterable[str], folder: Path, listable: Iterable[str]) -> int:
    """A descriptor of the rules; folders below those that are `listable` may be listed, and no more.

    Raises:
        OSError: there is no Landlock, or `folder` does not exist.
    """
    known = _RIGHTS_BY_VERSION.get(found := version(), _ALL_RIGHTS)
    network = _BIND_AND_CONNECT_TCP if found >= _NETWORK_SINCE else 0
    scopes = _ABSTRACT_SOCKETS_AND_SIGNALS if found >= SIGNALS_SINCE else 0
    handled = struct.pack("=QQQ", known, network, scopes)
    size = 24 if scopes else 16 if network else 8
    ruleset = syscall(_CREATE_RULESET, handled, ctypes.c_size_t(size), 0)
    for path in readable:
        rights = _EXECUTE | _READ_FILE | _READ_DIR if Path(path).is_dir() else _EXECUTE | _READ_FILE
        _allow(ruleset, path, rights & known)
    for path in listable:
        _allow(ruleset, path, _READ_DIR)
    for path in devices:
        _allow(ruleset, path, _READ_FILE | _WRITE_FILE)
    anything = known & ~(_EXECUTE | _MAKE_CHARACTER_DEVICE | _MAKE_BLOCK_DEVICE)
    _allow(ruleset, folder, anything, required=True)
    return ruleset


def _allow(ruleset: int, path: str | Path, rights: int, *, required: bool = False) -> None:
    with suppress(*(() if required else (FileNotFoundError, PermissionError))):
        beneath = os.open(path, os.O_PATH)
        try:
            rule = struct.pack("=Qi", rights, beneath)
            syscall(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0)
        finally:
            os.close(beneath)


def restrict(ruleset: int) -> None:
    """Bind this process, and all it will start, to the rules; needs `no_new_privs`."""
    syscall(_RESTRICT_SELF, ruleset, 0)
