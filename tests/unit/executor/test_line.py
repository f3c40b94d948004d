"""Messages between two of our processes arrive whole, in order, and an end is told from silence."""

import socket
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.executor.line import Line

Ends = tuple[Line, Line]


@pytest.fixture
def ends() -> Iterator[Ends]:
    near, far = map(Line, socket.socketpair())
    yield near, far
    near.close()
    far.close()


@given(some.lists(some.tuples(some.binary(min_size=1, max_size=1), some.binary(max_size=2000)), max_size=10))
def test_messages_arrive_as_they_were_sent(messages: list[tuple[bytes, bytes]]) -> None:
    near, far = map(Line, socket.socketpair())
    for kind, body in messages:
        near.send(kind, body)
    assert [far.receive() for _ in messages] == messages
    near.close()
    far.close()


def test_a_message_larger_than_any_buffer_arrives_whole(ends: Ends) -> None:
    near, far = ends
    body = bytes(range(256)) * 40_000
    sender = threading.Thread(target=near.send, args=(b"x", body))
    sender.start()
    assert far.receive() == (b"x", body)
    sender.join()


def test_nothing_is_said_until_something_is(ends: Ends) -> None:
    near, far = ends
    assert not far.is_spoken_to()
    near.send(b"x")
    assert far.is_spoken_to()
    assert far.receive() == (b"x", b"")


def test_an_end_in_the_middle_of_a_message_is_an_end() -> None:
    near, far = socket.socketpair()
    line = Line(far)
    near.sendall(b"x\x05")
    near.close()
    assert line.is_spoken_to()
    with pytest.raises(EOFError):
        line.receive()
    line.close()


def test_hanging_up_wakes_both_ends(ends: Ends) -> None:
    near, far = ends
    ended: list[bool] = []

    def wait() -> None:
        with pytest.raises(EOFError):
            near.receive()
        ended.append(True)

    waiting = threading.Thread(target=wait)
    waiting.start()
    near.hang_up()
    with pytest.raises(EOFError):
        far.receive()
    waiting.join(10)
    assert ended == [True]
