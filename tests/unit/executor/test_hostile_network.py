"""Programs that want to talk to somebody: real listeners of this process stay alone."""

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

Answer = Callable[..., Any]
pytestmark = pytest.mark.usefixtures("the_next_program_is_served")

REACH = """
import socket
def reach(family, kind, address):
    try:
        with socket.socket(family, kind) as caller:
            caller.connect(address)
    except PermissionError:
        return "refused"
    return "reached"
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user of this machine may walk and write, and whose sockets anybody may use."""
    with TemporaryDirectory(prefix="lw-", dir="/tmp") as folder:
        os.chmod(folder, 0o777)
        yield Path(folder)


@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK", "AF_PACKET", "AF_VSOCK", "AF_ALG"])
def test_no_socket_of_any_family(answer: Answer, family: str) -> None:
    code = """
import socket
def f(family):
    refused = []
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
        try:
            socket.socket(family, kind).close()
        except PermissionError:
            refused.append(int(kind))
    return refused
"""
    assert answer(code, f"f({int(getattr(socket, family))})") == [1, 2, 3, 5]


def test_a_listening_tcp_socket_is_not_reached(answer: Answer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host, port = listener.getsockname()
        assert answer(REACH, f"reach(socket.AF_INET, socket.SOCK_STREAM, ({host!r}, {port}))") == "refused"
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_a_listening_unix_socket_is_not_reached(answer: Answer, open_folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(open_folder / "listener"))
        (open_folder / "listener").chmod(0o777)
        listener.listen()
        assert answer(REACH, f"reach(socket.AF_UNIX, socket.SOCK_STREAM, {listener.getsockname()!r})") == "refused"


@pytest.mark.parametrize("abstract", [False, True])
def test_no_message_reaches_a_unix_socket_that_takes_them(answer: Answer, open_folder: Path, abstract: bool) -> None:
    """A pair of datagram sockets would need no `connect` to send to any other."""
    code = """
import socket
def f(address):
    try:
        ours, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        ours.sendto(b"hello", address)
    except OSError as error:
        return "refused"
    return "sent"
"""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(f"\0{open_folder.name}" if abstract else str(open_folder / "listener"))
        if not abstract:
            (open_folder / "listener").chmod(0o777)
        address = listener.getsockname()
        assert answer(code, f"f({address!r})") == "refused"
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.recv(10)


def test_a_pair_of_sockets_makes_no_listener_and_calls_nobody(answer: Answer) -> None:
    code = """
import socket
def f():
    outcomes = []
    ours, theirs = socket.socketpair()
    for attempt, *where in ((ours.bind, "\\0mine"), (ours.listen,), (ours.connect, "\\0other"), (ours.accept,)):
        try:
            attempt(*where)
            outcomes.append("done")
        except PermissionError:
            outcomes.append("refused")
    ours.send(b"x")
    return outcomes, theirs.recv(1)
"""
    assert answer(code, "f()") == (["refused"] * 4, b"x")
