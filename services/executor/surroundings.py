"""What of this machine a program may see: Python, the system's programs and libraries, and packages it may import."""

import os
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/etc/localtime")
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")


def readable(packages: Iterable[str]) -> list[str]:
    """Paths of this machine that programs may read and execute; none lies below another."""
    python = (sys.base_prefix, sys.base_exec_prefix, str(Path(os.__file__).parent))
    wanted = [Path(path) for path in (*_SYSTEM, *python, *_files_of(packages))]
    wanted = [path for path in wanted if path.exists()]
    return sorted({str(path) for path in wanted if not any(other in path.parents for other in wanted)})


def importable(packages: Iterable[str]) -> tuple[list[str], list[str]]:
    """The modules to load beforehand, of `packages` that are installed, and the folders that they are in."""
    found = [name for name in packages if _distribution(name)]
    folders = {str(distribution.locate_file("")) for name in found if (distribution := _distribution(name))}
    return [name.replace("-", "_") for name in found], sorted(folders)


def _files_of(packages: Iterable[str]) -> Iterator[str]:
    """Where `packages` and all that they need are installed: their modules and shared libraries."""
    seen: set[str] = set()
    waiting = list(packages)
    while waiting:
        name = waiting.pop()
        if name in seen or not (distribution := _distribution(name)):
            continue
        seen.add(name)
        waiting += _needs(distribution)
        tops = {file.parts[0] for file in distribution.files or ()}
        yield from (str(distribution.locate_file(top)) for top in tops if top != "..")


def _needs(distribution: metadata.Distribution) -> list[str]:
    """The names of what a distribution requires, extras left out."""
    lines = [line for line in distribution.requires or () if "extra ==" not in line]
    return ["".join(char if char.isalnum() or char in "-_." else " " for char in line).split()[0] for line in lines]


@cache
def _distribution(name: str) -> metadata.Distribution | None:
    try:
        return metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None
