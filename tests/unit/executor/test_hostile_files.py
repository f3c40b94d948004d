"""Programs that write where and what they should not, or read what is not theirs."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from services.contracts import ExecuteReply, Verdict
from services.executor.forkserver import ForkServer

Judge = Callable[..., ExecuteReply]
Answer = Callable[..., Any]
pytestmark = pytest.mark.usefixtures("the_next_program_is_served")
in_a_jail = pytest.mark.parametrize("sandbox", ["namespaces"], indirect=True)
CHECKOUT = Path(__file__).parents[3]

PLACES = (
    *("/", "/tmp", "/var/tmp", "/dev/shm", "/dev", "/dev/mqueue", "/run", "/run/lock", "/var/lock", "/etc", "/usr"),
    *("/home", "/root", "/opt", "/mnt", "/srv", "/var", "/usr/lib", "/proc/self", "/sys/fs/cgroup", str(CHECKOUT)),
)


@pytest.fixture
def secret() -> Iterator[Path]:
    """A file of the service's user, in a folder that anybody may walk and write, as /tmp is."""
    with TemporaryDirectory(prefix="lw-", dir="/tmp") as folder:
        os.chmod(folder, 0o777)
        (Path(folder) / "secret").write_text("secret")
        (Path(folder) / "secret").chmod(0o640)
        yield Path(folder) / "secret"


def test_what_a_program_writes_anywhere_the_next_does_not_find(answer: Answer) -> None:
    """It tries every place that is open to all somewhere; what it could write to is empty for its successor."""
    write = f"""
import os
def f():
    written = []
    for place in ({PLACES!r}) + (os.getcwd(),):
        try:
            with open(os.path.join(place, "lw-left-behind"), "w") as file:
                file.write("x")
            written.append(place)
        except OSError:
            pass
    return written, os.getcwd()
"""
    look = f"""
import os
def f():
    return [place for place in ({PLACES!r}) + (os.getcwd(),) if os.path.exists(os.path.join(place, "lw-left-behind"))]
"""
    written, folder = answer(write, "f()")
    assert set(written) <= {folder, "/tmp", "/var/tmp", "/dev/shm"}
    assert folder in written
    assert answer(look, "f()") == []
    assert not any(os.path.exists(os.path.join(place, "lw-left-behind")) for place in PLACES)


@pytest.mark.parametrize("sandbox", ["weak"], indirect=True)
def test_without_namespaces_the_folder_alone_is_writable(answer: Answer) -> None:
    code = """
import os
def f():
    outcomes = []
    for place in ("/tmp", "/var/tmp", "/dev/shm", ".."):
        try:
            os.mkdir(os.path.join(place, "lw-left-behind"))
            outcomes.append(place)
        except OSError:
            pass
    return outcomes
"""
    assert answer(code, "f()") == []


@in_a_jail
def test_the_folder_holds_so_much_in_sum_and_is_empty_again(answer: Answer) -> None:
    """Files of the greatest size that is allowed, until there is no room: 256 MiB, and 10,000 files."""
    code = """
import os
def fill():
    count = 0
    try:
        while count < 1000:
            with open(f"full{count}", "wb") as file:
                file.write(bytes(2**20))
            count += 1
    except OSError as error:
        return count, error.strerror
def names():
    count = 0
    try:
        while count < 20_000:
            os.mknod(f"name{count}")
            count += 1
    except OSError as error:
        return count <= 10_000, error.strerror
"""
    count, error = answer(code, "fill()")
    assert 200 < count <= 256
    assert error == "No space left on device"
    assert answer(code, "names()") == (True, "No space left on device")


def test_a_big_file_ends_at_the_limit(judge: Judge) -> None:
    code = """
import os
def grow():
    with open("big", "wb") as file:
        while True:
            file.write(bytes(2**20))
def stretch():
    with open("sparse", "wb") as file:
        os.truncate(file.fileno(), 2**40)
def reserve():
    with open("reserved", "wb") as file:
        os.posix_fallocate(file.fileno(), 0, 2**30)
def leap():
    with open("leap", "wb") as file:
        file.seek(2**40)
        file.write(b"x")
        file.flush()
"""
    reply = judge(code, *[f"assert {attack}() == 1" for attack in ("grow", "stretch", "reserve", "leap")])
    assert [(test.verdict, test.error and test.error.type) for test in reply.tests] == [
        (Verdict.RUNTIME_ERROR, "OSError")
    ] * 4


def test_a_thousand_folders_deep_leave_nothing(answer: Answer) -> None:
    code = """
import os
def f():
    for _ in range(1000):
        os.mkdir("d")
        os.chdir("d")
    open("bottom", "w").close()
    return True
"""
    assert answer(code, "f()") is True


def test_links_that_multiply_or_lead_in_circles_are_followed_by_nobody(answer: Answer, secret: Path) -> None:
    """Each folder links twice to the next: 2 to the 20th paths; and links to what is outside, whose end stays there."""
    code = f"""
import os
def f():
    for number in range(20):
        os.mkdir(str(number))
        os.symlink(f"../{{number + 1}}", f"{{number}}/a")
        os.symlink(f"../{{number + 1}}", f"{{number}}/b")
    os.symlink("circle", "circle")
    os.symlink("/", "root")
    os.symlink({str(secret)!r}, "file")
    os.symlink({str(secret.parent)!r}, "folder")
    return True
"""
    assert answer(code, "f()") is True
    assert secret.read_text() == "secret"


def test_names_that_are_no_text_leave_nothing(answer: Answer) -> None:
    code = r"""
import os
def f():
    for name in (b"\xff\xfe", b"new\nline", b"-rf", b" ", b"\x01", b"\xed\xa0\x80", b"x" * 255, b"...", b"*"):
        os.mkdir(name)
        open(name + b"/" + name, "w").close()
    return len(os.listdir(b"."))
"""
    assert answer(code, "f()") == 9


def test_what_nobody_may_touch_is_removed_all_the_same(answer: Answer) -> None:
    code = """
import os
def f():
    os.makedirs("a/b")
    os.mkfifo("a/pipe")
    os.link("a/pipe", "a/b/pipe")
    for name in ("a/b", "a", "."):
        os.chmod(name, 0)
    return True
"""
    assert answer(code, "f()") is True


def test_nothing_that_a_program_writes_can_be_executed(answer: Answer) -> None:
    """Nor mapped as code: the interpreter loads no library from there."""
    code = """
import ctypes, os, shutil
def outcome(attempt, *arguments):
    try:
        attempt(*arguments)
    except OSError as error:
        return "refused"
    return "done"
def f():
    shutil.copy("/bin/true", "program")
    os.chmod("program", 0o755)
    return outcome(os.execv, "./program", ["program"])
"""
    assert answer(code, "f()") == "refused"


def test_no_device_is_made_or_opened(answer: Answer) -> None:
    code = """
import os, stat
def outcome(attempt, *arguments):
    try:
        attempt(*arguments)
    except OSError:
        return "refused"
    return "done"
def f():
    made = [outcome(os.mknod, "device", kind | 0o666, os.makedev(1, 1)) for kind in (stat.S_IFCHR, stat.S_IFBLK)]
    names = ("mem", "kmem", "port", "kmsg", "tty", "ptmx", "pts/0", "console", "fuse", "kvm", "vda", "sda")
    return made, [name for name in names if outcome(os.open, f"/dev/{name}", os.O_RDONLY) == "done"]
"""
    assert answer(code, "f()") == (["refused", "refused"], [])


def test_the_services_files_are_closed(answer: Answer, secret: Path) -> None:
    home = Path.home()
    paths = ["/etc/passwd", "/etc/shadow", "/etc/hosts", "/etc", "/root", "/home", "/var/log", str(home), str(secret)]
    paths += [str(CHECKOUT), str(CHECKOUT / "README.md"), str(CHECKOUT / "services/executor/pool.py"), __file__]
    code = """
import os
def opened(paths):
    found = []
    for path in paths:
        for attempt in (open, os.listdir, lambda path: open(path, "r+")):
            try:
                attempt(path)
                found.append(path)
            except OSError:
                pass
    return found
"""
    assert answer(code, f"opened({paths!r})") == []
    assert secret.read_text() == "secret"


def test_modes_owners_and_times_of_the_services_files_stay_as_they_are(answer: Answer, secret: Path) -> None:
    """Landlock knows no rule for these; where the program is the service's own user, something else has to."""
    before = secret.stat()
    code = f"""
import os
def f():
    for path in ({str(secret)!r}, {str(secret.parent)!r}, {__file__!r}):
        for attack in (
            lambda: os.chmod(path, 0o777),
            lambda: os.chown(path, os.getuid(), os.getgid()),
            lambda: os.utime(path, (1, 1)),
            lambda: os.fchmod(os.open(path, os.O_PATH), 0),
            lambda: os.setxattr(path, "user.mine", b"x"),
        ):
            try:
                attack()
            except OSError:
                pass
    return True
"""
    assert answer(code, "f()") is True
    after = secret.stat()
    assert (after.st_mode, after.st_uid, after.st_mtime) == (before.st_mode, before.st_uid, before.st_mtime)
    assert secret.parent.stat().st_mode & 0o7777 == 0o777


def test_no_process_is_read_through_proc(answer: Answer, sandbox: ForkServer) -> None:
    """Not the service's memory, environment, command line, nor one's own: what is there could be another's."""
    code = f"""
import os
FILES = ("environ", "mem", "maps", "cmdline", "status", "root/etc/passwd", "cwd/README.md", "fd", "fd/0", "task")
def f():
    found = []
    for pid in ("self", "thread-self", 1, os.getppid(), {os.getpid()}, {os.getppid()}):
        for file in FILES[:-3] if pid in ("self", "thread-self") else FILES:
            for flags in (os.O_RDONLY, os.O_RDWR):
                try:
                    os.open(f"/proc/{{pid}}/{{file}}", flags)
                    found.append((pid, file))
                except OSError:
                    pass
    return found
"""
    assert answer(code, "f()") == []


def test_the_environment_of_the_service_is_not_inherited(answer: Answer) -> None:
    """Not in `os.environ`, nor in what the C library keeps, nor for what is executed."""
    code = """
import ctypes, os, subprocess
def f():
    first = ctypes.c_char_p.in_dll(ctypes.CDLL(None), "environ").value
    return dict(os.environ), first, subprocess.run(["/usr/bin/env"], capture_output=True).stdout
"""
    environment, first, printed = answer(code, "f()")
    assert environment == {}
    assert not first
    assert printed == b""


def test_the_files_that_programs_read_are_not_writable(answer: Answer) -> None:
    """Python's library, the system's programs: neither their content nor their names."""
    code = """
import json, os, sys
def f():
    done = []
    for path in (json.__file__, os.__file__, "/bin/sh", "/usr", "/usr/bin/env", "/dev/null", "/etc"):
        attacks = {
            "write": lambda: os.open(path, os.O_WRONLY) if path != "/dev/null" else os.unlink(path),
            "truncate": lambda: os.truncate(path, 0) if path != "/dev/null" else os.unlink(path),
            "rename": lambda: os.rename(path, path + "x"),
            "unlink": lambda: os.unlink(path),
            "link": lambda: os.link(path, "mine"),
            "symlink": lambda: os.symlink("/tmp", path + "x"),
        }
        for name, attack in attacks.items():
            try:
                attack()
                done.append((path, name))
            except OSError:
                pass
    return done
"""
    assert answer(code, "f()") == []
