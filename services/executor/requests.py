"""Refuses what is well-formed but can't be done, before anything waits or runs."""

from typing import Any

from services.contracts import CallTest, ExecuteRequest
from services.executor.parsing import PARSE_ERRORS, parse_literal
from services.executor.sandbox import Bounds
from services.executor.settings import ExecutorSettings
from services.kit.errors import BadRequestError

_LIMITS = [(name, f"default_{name}", f"max_{name}") for name in Bounds.__slots__]


def resolve(request: ExecuteRequest, settings: ExecutorSettings, number: int | None = None) -> Bounds:
    """The limits that `request` asks for, with the server's defaults; `number` is its place in a batch, for messages.

    Raises:
        BadRequestError: a limit is above the server's maximum, or a literal is none.
    """
    for at, test in enumerate(request.tests):
        if isinstance(test, CallTest):
            _refuse_non_literals(test, f"{_place(number)}tests[{at}].")
    asked, ours = vars(request.limits), vars(settings)
    limits: list[Any] = []
    for name, default, most in _LIMITS:
        limit = asked[name]
        if limit is None:
            limit = min(ours[default], ours[most])
        elif limit > ours[most]:
            raise _too_high(f"{_place(number)}limits.{name}", limit, ours[most])
        limits.append(limit)
    return Bounds(*limits)


def _place(number: int | None) -> str:
    return "" if number is None else f"programs[{number}]."


def _too_high(path: str, asked: float, most: float) -> BadRequestError:
    message = f"{path} is {asked}, this server allows {most}"
    return BadRequestError("limit_too_high", message, details={"path": path, "maximum": most})


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
