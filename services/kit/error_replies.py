"""Turns every failure of a request into the contract's error body."""

import math
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from services.contracts import ErrorDetail, ErrorReply
from services.contracts.request_id import current_request_id
from services.kit.errors import ServiceError

DOCUMENTED: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorReply, "description": HTTPStatus(status).phrase}
    for status in (400, 401, 404, 408, 409, 413, 422, 429, 431, 500, 503, 504)
}
"""Every error status of the contract, for a service's OpenAPI document."""


def error_response(error: ServiceError) -> JSONResponse:
    """The reply for `error`, with `Retry-After` in whole seconds where it has one."""
    reply = ErrorReply(
        error=ErrorDetail(code=error.code, message=error.message, details=error.details),
        request_id=current_request_id.get() or "",
    )
    headers = retry_headers(error)
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(reply.model_dump(mode="json"), status_code=error.status, headers=headers)


def retry_headers(error: ServiceError) -> dict[str, str]:
    """`Retry-After` in whole seconds, at least one, where `error` says when to come back."""
    if error.retry_after_s is None:
        return {}
    return {"Retry-After": str(max(1, math.ceil(error.retry_after_s)))}


def install_error_replies(app: FastAPI) -> None:
    """Register a handler for each kind of failure that reaches the framework."""
    app.add_exception_handler(ServiceError, _on_service_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_exception)


async def _on_service_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ServiceError)
    return error_response(error)


async def _on_validation_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    details = [{"path": _path(item["loc"]), "message": item["msg"]} for item in error.errors()]
    first = details[0]
    message = f"{first['path']}: {first['message']}"
    return error_response(ServiceError(422, "malformed_request", message, details=details))


def _path(location: Sequence[Any]) -> str:
    """`("body", "programs", 0, "code")` as `programs[0].code`; other places keep their name, `query.limit`."""
    parts = list(location)
    if parts[:1] == ["body"] and len(parts) > 1 and isinstance(parts[1], str):
        parts = parts[1:]
    path = ""
    for part in parts:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return path.removeprefix(".")


async def _on_http_exception(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    too_large = error.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE  # whose phrase differs between Pythons
    code = "body_too_large" if too_large else HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
    return error_response(ServiceError(error.status_code, code, str(error.detail)))
