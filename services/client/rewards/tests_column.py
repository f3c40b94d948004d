"""Tests as data sets hold them, in the executor's words.

- a list of asserts (MBPP), of the executor's own tests, or of both; one assert alone;
- any of it as JSON text, which is how columns of mixed types are stored; nulls that a table put in are dropped;
- verl's and PrimeIntellect's `{"inputs": [...], "outputs": [...]}`: programs on stdin and stdout, or, with `fn_name`,
  calls whose input has one JSON argument a line and whose output is JSON, or else a string; `assert_case` adds asserts.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from services.contracts import TestCase

_TESTS: TypeAdapter[list[TestCase]] = TypeAdapter(list[TestCase])


def read_tests(value: Any) -> list[TestCase]:
    """The tests in `value`; none for None.

    Raises:
        ValueError: it is none of the forms above.
    """
    value = _from_json(value)
    if value is None:
        return []
    if isinstance(value, Mapping) and "kind" not in value:
        tests = _from_columns(value)
    elif isinstance(value, str | Mapping):
        tests = [value]
    else:
        tests = list(value)
    try:
        return _TESTS.validate_python([_without_nulls(test) for test in tests])
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"tests can't be read: {place}: {first['msg']}") from error


def _from_json(value: Any) -> Any:
    if not isinstance(value, str) or value.lstrip()[:1] not in ("[", "{"):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise ValueError(f"tests look like JSON and aren't: {error}") from error


def _from_columns(value: Mapping[str, Any]) -> list[Any]:
    asserts, inputs, outputs = (_listed(value.get(name)) for name in ("assert_case", "inputs", "outputs"))
    if len(inputs) != len(outputs) or not (inputs or asserts):
        raise ValueError("tests need as many `outputs` as `inputs`, or `assert_case`")
    make = _call if value.get("fn_name") else _stdio
    return [*(make(value.get("fn_name"), *pair) for pair in zip(inputs, outputs, strict=True)), *asserts]


def _listed(value: Any) -> list[Any]:
    """Columns of tables are arrays, whose truth is not a question to ask."""
    return [] if value is None else list(value)


def _stdio(_: str | None, given: Any, expected: Any) -> dict[str, Any]:
    return {"kind": "stdio", "stdin": _lines(given), "expected_stdout": _lines(expected)}


def _lines(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "\n".join(map(str, value)) if isinstance(value, Sequence) else str(value)


def _call(function: str | None, given: Any, expected: Any) -> dict[str, Any]:
    try:
        args = [json.loads(line) for line in given.split("\n")] if isinstance(given, str) else list(given)
    except ValueError as error:
        raise ValueError(f"an input of {function} is not one JSON argument a line: {error}") from error
    return {"kind": "call", "function": function, "args": args, "expected": _json_or_text(expected)}


def _json_or_text(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _without_nulls(test: Any) -> Any:
    """A test without the nulls of a table whose rows have different fields; a call may be expected to give null."""
    if not isinstance(test, Mapping):
        return test
    keeps_null = "expected" if test.get("kind") == "call" and test.get("expected_literal") is None else None
    return {name: value for name, value in test.items() if value is not None or name == keeps_null}
