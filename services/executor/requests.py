"""Refuses what is well-formed but can't be done, before anything waits or runs."""

from typing import Any

from services.contracts import CallTest, ExecuteRequest
from services.executor.parsing import PARSE_ERRORS, parse_literal
from services.executor.sandbox import Bounds
from services.executor.settings import ExecutorSettings
from services.kit.errors import BadRequestError

_LIMITS = ("wall_s", "cpu_s", "memory_bytes", "output_bytes", "file_bytes", "processes")


def resolve(request: ExecuteRequest, settings: ExecutorSettings, place: str = "") -> Bounds:
    """The limits that `request` asks for, with the server's defaults; `place` leads field names, `programs[3].` say.

    Raises:
        BadRequestError: a limit is above the server's maximum, or a literal is none.
    """
    for number, test in enumerate(request.tests):
        if isinstance(test, CallTest):
            _refuse_non_literals(test, f"{place}tests[{number}].")
    limits: dict[str, Any] = {name: _limit(name, request, settings, place) for name in _LIMITS}
    return Bounds(**limits)


def _limit(name: str, request: ExecuteRequest, settings: ExecutorSettings, place: str) -> Any:
    asked, most = getattr(request.limits, name), getattr(settings, f"max_{name}")
    if asked is None:
        return min(getattr(settings, f"default_{name}"), most)
    if asked > most:
        path = f"{place}limits.{name}"
        raise BadRequestError(
            "limit_too_high", f"{path} is {asked}, this server allows {most}", details={"path": path, "maximum": most}
        )
    return asked


def _refuse_non_literals(test: CallTest, place: str) -> None:
    for name, kinds in (("args_literal", (list, tuple)), ("expected_literal", (object,))):
        source = getattr(test, name)
        if source is None:
            continue
        try:
            fits = isinstance(parse_literal(source), kinds)
        except (TypeError, *PARSE_ERRORS):
            fits = False
        if not fits:
            path = f"{place}{name}"
            wanted = "a list or tuple" if name == "args_literal" else "a value"
            raise BadRequestError(
                "not_a_literal", f"{path} is not {wanted} as a Python literal", details={"path": path}
            )
