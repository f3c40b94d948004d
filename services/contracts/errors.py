"""The error body, the same for all services: `{"error": {...}, "request_id": "..."}`."""

from typing import Any

from pydantic import Field

from services.contracts.base import Reply


class ErrorDetail(Reply):
    """What went wrong, for programs (`code`) and for people (`message`)."""

    code: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="A stable snake_case name of the failure.")
    message: str = Field(description="One sentence that says what to do.")
    details: Any = Field(None, description="Whatever helps to find the cause; for 422 a list of `{path, message}`.")


class ErrorReply(Reply):
    """The body of every 4xx and 5xx."""

    error: ErrorDetail
    request_id: str
