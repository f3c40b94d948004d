"""What comes with /run_code is put into the program's folder, or refused before the sandbox could fail on it."""

import base64

import pytest

from services.executor.run_files import decode_files, plain_paths
from services.kit.errors import BadRequestError, TooLargeError

MANY = 10**6


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def test_paths_are_made_plain_and_contents_decoded() -> None:
    files = {"./a//b.txt": encoded(b"\0\xff"), "c": encoded(b""), "é": encoded(b"x")}
    assert decode_files(files, MANY) == {"a/b.txt": b"\0\xff", "c": b"", "é": b"x"}


def test_a_file_without_contents_is_left_out() -> None:
    assert decode_files({"a": None, "b": encoded(b"b")}, MANY) == {"b": b"b"}


def test_base64_may_be_broken_into_lines() -> None:
    assert decode_files({"a": base64.encodebytes(b"x" * 100).decode()}, MANY) == {"a": b"x" * 100}


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        "/",
        "/etc/passwd",
        "..",
        "../a",
        "a/../../b",
        "a/..",
        "a/",
        "a\0b",
        "a" * 256,
        "é" * 128,
        "a/" * 600 + "a",
    ],
)
def test_a_path_that_is_none_inside_the_folder_is_refused(path: str) -> None:
    with pytest.raises(BadRequestError) as refused:
        decode_files({path: encoded(b"")}, MANY)
    assert (refused.value.code, refused.value.details) == ("bad_path", {"path": "files"})
    with pytest.raises(BadRequestError) as refused:
        plain_paths([path], "fetch_files")
    assert refused.value.details == {"path": "fetch_files"}


@pytest.mark.parametrize("paths", [("a", "a/b"), ("a/b/c", "a"), ("a", "./a"), ("a/b", "a//b")])
def test_two_paths_that_get_in_each_others_way_are_refused(paths: tuple[str, str]) -> None:
    with pytest.raises(BadRequestError) as refused:
        decode_files(dict.fromkeys(paths, encoded(b"")), MANY)
    assert refused.value.code == "bad_path"


@pytest.mark.parametrize("content", ["a", "ab=c", "!!!!", "é"])
def test_contents_that_are_no_base64_are_refused(content: str) -> None:
    with pytest.raises(BadRequestError) as refused:
        decode_files({"a": content}, MANY)
    assert refused.value.code == "not_base64"


def test_too_much_and_too_many_are_refused() -> None:
    with pytest.raises(TooLargeError):
        decode_files({"a": encoded(b"xx"), "b": encoded(b"xx")}, 3)
    with pytest.raises(BadRequestError) as refused:
        decode_files({f"{number}": encoded(b"") for number in range(1001)}, MANY)
    assert refused.value.code == "too_many_files"
