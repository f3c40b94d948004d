"""JSON Lines in and out, gzip read as well: a pydantic model a line, errors that name the file and the line."""

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from services.contracts import Problem
from trainer.problems.errors import ProblemFileError

Model = TypeVar("Model", bound=BaseModel)

_GZIP_MAGIC = b"\x1f\x8b"


def read_problems(path: Path) -> list[Problem]:
    """The problems of a JSONL file, in order.

    Raises:
        ProblemFileError: the file is missing or empty, a line is no problem, or an id occurs twice.
    """
    problems: list[Problem] = []
    seen: set[str] = set()
    for line, problem in _numbered_models(path, Problem):
        if problem.id in seen:
            raise ProblemFileError(path, line, f"the id {problem.id!r} occurs a second time")
        seen.add(problem.id)
        problems.append(problem)
    if not problems:
        raise ProblemFileError(path, None, "holds no problem")
    return problems


def write_jsonl(path: Path, models: Iterable[BaseModel]) -> None:
    """Write one model a line; the inverse of `read_models`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for model in models:
            file.write(model.model_dump_json() + "\n")


def read_models(path: Path, model: type[Model]) -> Iterator[Model]:
    """The lines of a JSONL file as `model`s; blank lines are skipped.

    Raises:
        ProblemFileError: the file cannot be opened, or a line is not valid JSON of that model.
    """
    for _, value in _numbered_models(path, model):
        yield value


def read_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The lines of a JSONL file as `(line number, object)`; blank lines are skipped.

    Raises:
        ProblemFileError: the file cannot be opened, or a line is not a JSON object.
    """
    for number, line in _numbered_lines(path):
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise ProblemFileError(path, number, f"not valid JSON: {error.msg} at column {error.colno}") from error
        if not isinstance(row, dict):
            raise ProblemFileError(path, number, "not a JSON object")
        yield number, row


def _numbered_models(path: Path, model: type[Model]) -> Iterator[tuple[int, Model]]:
    for number, line in _numbered_lines(path):
        try:
            yield number, model.model_validate_json(line)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            field = ".".join(str(part) for part in first["loc"])
            raise ProblemFileError(path, number, ": ".join(filter(None, [field, first["msg"]]))) from error


def _numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines of the file with their numbers from 1; splits at newlines only, as JSON may hold any other separator."""
    for number, raw in enumerate(_content(path).split(b"\n"), start=1):
        try:
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise ProblemFileError(path, number, "not valid UTF-8") from error
        if line.strip():
            yield number, line


def _content(path: Path) -> bytes:
    """The bytes of a file, unpacked where they are gzip's, whatever the file is called."""
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if data.startswith(_GZIP_MAGIC) else data
    except (OSError, EOFError, zlib.error) as error:
        raise ProblemFileError(path, None, getattr(error, "strerror", None) or "cannot be read") from error
