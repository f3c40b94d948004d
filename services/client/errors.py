"""What a call to a service can end in.

    LinewiseError
    ├── RequestError             4xx: the request is wrong; asking again changes nothing
    └── NoAnswerError            our failure: no verdict and no score came back
        ├── UnreachableError         no connection, or it broke
        ├── OverloadedError          429, still after the retries
        ├── UnavailableError         503, still after the retries
        ├── DeadlineExceededError    504, or the caller's own time is up
        └── ServerError              any other 5xx, or an answer that can't be read

A `NoAnswerError` is never a reward: whoever trains on an answer must drop the sample, not count it as 0.
"""

from typing import Any


class LinewiseError(Exception):
    """The root of every exception that a client raises."""


class RequestError(LinewiseError):
    """A 4xx: `status`, the contract's `code`, its `message` and `details`."""

    def __init__(self, status: int, code: str, message: str, details: Any = None) -> None:
        super().__init__(f"{code} ({status}): {message}")
        self.status = status
        self.code = code
        self.message = message
        self.details = details


class NoAnswerError(LinewiseError):
    """The service gave no answer; there is nothing to learn from. For `retry_after_s` it asked to be left alone."""

    retry_after_s: float = 0.0


class UnreachableError(NoAnswerError):
    """No connection could be made, or it broke before the answer was whole."""


class OverloadedError(NoAnswerError):
    """The service's queue stayed full."""


class UnavailableError(NoAnswerError):
    """The service is draining, or something that it needs is down."""


class DeadlineExceededError(NoAnswerError):
    """The time for this call is up."""


class ServerError(NoAnswerError):
    """The service failed."""
