"""What a process and all below it take of the machine: memory and processor time, from /proc."""

import os
from collections.abc import Iterator
from pathlib import Path


def resident_bytes(root: int) -> int:
    """What they hold now, each page counted for each that shares it."""
    pages = sum(int(_read(folder, "statm", 1)) for folder, _ in _family(root))
    return pages * os.sysconf("SC_PAGE_SIZE")


def processor_s(root: int) -> float:
    """The processor time that they and their children that ended took since they were started."""
    ticks = sum(int(it) for _, stat in _family(root) for it in stat[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def _family(root: int) -> Iterator[tuple[Path, list[str]]]:
    """Each process's folder in /proc, with the fields of `stat` behind its name (proc_pid_stat(5))."""
    stats: dict[int, tuple[Path, list[str]]] = {}
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        stats[int(folder.name)] = folder, stat
        children.setdefault(int(stat[1]), []).append(int(folder.name))
    below = [root]
    while below:
        process = below.pop()
        below += children.get(process, [])
        if process in stats:
            yield stats[process]


def _read(folder: Path, name: str, field: int) -> str:
    try:
        return (folder / name).read_text().split()[field]
    except OSError:
        return "0"
