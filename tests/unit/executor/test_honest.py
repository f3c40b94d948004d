"""What honest programs do and the sandbox lets them do: a wall that stops these would be a wrong verdict."""

from collections.abc import Callable
from typing import Any

import pytest

Answer = Callable[..., Any]

PROGRAMS: dict[str, tuple[str, object]] = {
    "threads": (
        """
import queue, threading
def f():
    done = queue.Queue()
    threads = [threading.Thread(target=done.put, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(done.get() for _ in threads)
""",
        [0, 1, 2, 3, 4],
    ),
    "a pool of threads": (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "def f():\n    with ThreadPoolExecutor(3) as pool:\n        return list(pool.map(abs, [-1, -2]))",
        [1, 2],
    ),
    "subprocesses": (
        """
import subprocess
def f():
    shell = subprocess.check_output("echo $((1 + 2)) | cat", shell=True)
    try:
        subprocess.run(["/bin/sleep", "9"], timeout=0.05)
    except subprocess.TimeoutExpired:
        return shell, subprocess.run(["/bin/false"]).returncode
""",
        (b"3\n", 1),
    ),
    "an event loop": (
        """
import asyncio
async def g():
    await asyncio.sleep(0.01)
    other = await asyncio.to_thread(sum, [1, 2])
    process = await asyncio.create_subprocess_exec("/bin/echo", "a", stdout=asyncio.subprocess.PIPE)
    return other, (await process.communicate())[0], await asyncio.gather(asyncio.sleep(0, 1), asyncio.sleep(0, 2))
def f():
    return asyncio.run(g())
""",
        (3, b"a\n", [1, 2]),
    ),
    "temporary files": (
        """
import os, pathlib, shutil, tempfile
def f():
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as file:
        file.write(b"y")
        path = pathlib.Path(folder, "a")
        path.write_text("text")
        shutil.copy2(path, path.with_name("b"))
        shutil.move(path, path.with_name("c"))
        shutil.copytree(folder, "tree")
        found = sorted(os.listdir(folder)), pathlib.Path("tree/b").read_text()
    shutil.rmtree("tree")
    return found, os.listdir(".")
""",
        ((["b", "c"], "text"), []),
    ),
    "sqlite": (
        """
import sqlite3
def f():
    with sqlite3.connect("base.db") as base:
        base.execute("pragma journal_mode=wal")
        base.execute("create table t (a)")
        base.execute("insert into t values (1)")
    return base.execute("select a from t").fetchall(), base.close()
""",
        ([(1,)], None),
    ),
    "mapped files": (
        """
import mmap
def f():
    with open("file", "wb+") as file:
        file.write(bytes(4096))
        file.flush()
        with mmap.mmap(file.fileno(), 4096) as view:
            view[7] = 9
        file.seek(7)
        return file.read(1), mmap.mmap(-1, 4096)[0]
""",
        (b"\t", 0),
    ),
    "an alarm": (
        """
import signal, time
def late(*_):
    raise TimeoutError
def f():
    signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        time.sleep(3)
    except TimeoutError:
        signal.alarm(0)
        return "woken"
""",
        "woken",
    ),
    "a pair of sockets": (
        "import socket\ndef f():\n    a, b = socket.socketpair()\n    a.sendall(b'x')\n    return b.recv(1)",
        b"x",
    ),
    "clocks": (
        "import datetime, time, zoneinfo\ndef f():\n    time.sleep(0.01)\n    there = zoneinfo.ZoneInfo('Asia/Tokyo')\n"
        "    return time.perf_counter() > 0, datetime.datetime(2024, 1, 1, tzinfo=there).tzname()",
        (True, "JST"),
    ),
    "numbers": (
        "import decimal, random, secrets, uuid\ndef f():\n"
        "    return str(decimal.Decimal(1) / 8), random.random() < 1, len(secrets.token_hex()), uuid.uuid4().version",
        ("0.125", True, 64, 4),
    ),
    "C functions": ("import ctypes\ndef f():\n    return ctypes.CDLL(None).abs(-3)", 3),
    "codecs": ("def f():\n    return 'ž'.encode('cp1250'), b'\\xa4'.decode('iso8859_15')", (b"\x9e", "€")),
    "names of this process": (
        "import os, platform, sys\ndef f():\n    return os.cpu_count() > 0, bool(sys.executable), platform.system()",
        (True, True, "Linux"),
    ),
}
WITH_SEMAPHORES: dict[str, tuple[str, object]] = {
    "a pool of processes": (
        "from multiprocessing import Pool\ndef f():\n    with Pool(2) as pool:\n        return pool.map(abs, [-1, -2])",
        [1, 2],
    ),
    "a pool of futures": (
        "from concurrent.futures import ProcessPoolExecutor\n"
        "def f():\n    with ProcessPoolExecutor(2) as pool:\n        return list(pool.map(abs, [-1, -2]))",
        [1, 2],
    ),
    "a process and a queue": (
        """
import multiprocessing
def f():
    queue, total = multiprocessing.Queue(), multiprocessing.Value("i", 3)
    process = multiprocessing.Process(target=queue.put, args=(total.value,))
    process.start()
    return queue.get(), process.join(), process.exitcode
""",
        (3, None, 0),
    ),
    "a process started afresh": (
        """
import multiprocessing
def f():
    process = multiprocessing.get_context("spawn").Process(target=print, args=("x",))
    process.start()
    process.join()
    return process.exitcode
""",
        0,
    ),
    "shared memory": (
        """
from multiprocessing.shared_memory import SharedMemory
def f():
    memory = SharedMemory(create=True, size=10)
    memory.buf[0] = 7
    other = SharedMemory(memory.name)
    seen = other.buf[0]
    other.close()
    memory.close()
    memory.unlink()
    return seen
""",
        7,
    ),
    "Python in a subprocess": (
        "import subprocess, sys\ndef f():\n    return subprocess.check_output([sys.executable, '-c', 'print(1)'])",
        b"1\n",
    ),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_honest_program_gets(answer: Answer, name: str) -> None:
    code, expected = PROGRAMS[name]
    assert answer(code, "f()") == expected


@pytest.mark.parametrize("sandbox", ["namespaces"], indirect=True)
@pytest.mark.parametrize("name", WITH_SEMAPHORES)
def test_in_a_jail_an_honest_program_gets(answer: Answer, name: str) -> None:
    """Elsewhere there is no /dev/shm for it, or no way to the interpreter."""
    code, expected = WITH_SEMAPHORES[name]
    assert answer(code, "f()") == expected


def test_every_module_of_the_standard_library_can_be_imported(answer: Answer) -> None:
    """But those of other systems, and what is not built into this Python outside either."""
    code = """
import importlib, sys
def f(names):
    missing = []
    for name in names:
        try:
            importlib.import_module(name)
        except ImportError:
            missing.append(name)
    return missing
"""
    assert answer(code, f"f({importable_here()!r})") == []


def importable_here() -> list[str]:
    """The standard library's modules that a plain interpreter finds; some of them open windows or browsers."""
    import importlib.util
    import sys

    names = sorted(sys.stdlib_module_names - {"antigravity", "this", "idlelib", "turtledemo", "__main__"})
    return [name for name in names if not name.startswith("_") and importlib.util.find_spec(name)]
