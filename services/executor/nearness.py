"""What the judge knows of nearness: pytest's `approx`, for constants, and of text: its plain methods."""

import math
from collections.abc import Callable
from typing import Any

METHODS = frozenset({"startswith", "endswith", "lower", "upper", "strip", "lstrip", "rstrip"}) | {
    name for name in dir(str) if name.startswith("is")
}
"""Methods that only text has, and that make nothing larger."""
VIEWS: dict[str, Callable[[Any], Any]] = {"keys": dict.keys, "values": dict.values, "items": dict.items}


def call_method(name: str, text: Any, *arguments: Any) -> Any:
    """The method `name` of `METHODS`, of text or bytes; raises `TypeError` where `text` is neither."""
    if type(text) not in (str, bytes) or not hasattr(text, name):
        raise TypeError(f"{type(text).__name__} has no method {name}")
    return getattr(text, name)(*arguments)


class Approximately:
    """Equal to what `pytest.approx(expected, rel, abs)` is equal to: a number, a list or tuple, values of a dict.

    Both tolerances are at least 0; without any, 1e-6 of the number expected, and 1e-12.
    """

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, expected: Any, rel: float | None = None, abs: float | None = None, nan_ok: bool = False) -> None:
        self._expected = expected
        self._relative = 1e-6 if rel is None and abs is None else rel or 0.0
        self._absolute = 1e-12 if abs is None else abs
        self._nan_ok = nan_ok

    def __eq__(self, found: object) -> bool:
        expected = self._expected
        if isinstance(expected, dict):
            same = isinstance(found, dict) and found.keys() == expected.keys()
            return same and all(self._is_near(found[key], number) for key, number in expected.items())  # type: ignore[index]
        if isinstance(expected, (list, tuple)):
            same = isinstance(found, (list, tuple)) and len(found) == len(expected)
            return same and all(map(self._is_near, found, expected))  # type: ignore[call-overload]
        return self._is_near(found, expected)

    def _is_near(self, found: Any, expected: Any) -> bool:
        if found == expected:
            return True
        if not all(isinstance(number, (int, float, complex)) and number is not True for number in (found, expected)):
            return False
        if found != found or expected != expected:
            return self._nan_ok and found != found and expected != expected
        if math.isinf(abs(expected)) or math.isinf(abs(found)):
            return False
        return bool(abs(found - expected) <= max(self._relative * abs(expected), self._absolute))
