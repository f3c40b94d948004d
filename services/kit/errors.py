"""The exceptions a service raises to answer with an error, and the one that keeps it from starting.

    ServiceError
    ├── BadRequestError      400  well-formed but impossible
    ├── NotFoundError        404
    ├── ConflictError        409
    ├── TooLargeError        413
    ├── OverloadedError      429  + Retry-After
    ├── UnavailableError     503  + Retry-After
    └── DeadlineError        504
    StartupError

They know no web framework; `services.kit.error_replies` turns them into the contract's error body.
"""

from typing import Any


class ServiceError(Exception):
    """An error reply: HTTP `status`, snake_case `code`, a `message` that says what to do, `details` as JSON."""

    def __init__(
        self, status: int, code: str, message: str, *, details: Any = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        self.retry_after_s = retry_after_s


class BadRequestError(ServiceError):
    """400: the request is well-formed, but can't be done."""

    def __init__(self, code: str, message: str, *, details: Any = None) -> None:
        super().__init__(400, code, message, details=details)


class NotFoundError(ServiceError):
    """404: there is no such thing."""

    def __init__(self, code: str, message: str, *, details: Any = None) -> None:
        super().__init__(404, code, message, details=details)


class ConflictError(ServiceError):
    """409: it contradicts what is there."""

    def __init__(self, code: str, message: str, *, details: Any = None) -> None:
        super().__init__(409, code, message, details=details)


class TooLargeError(ServiceError):
    """413: more than this service takes."""

    def __init__(self, code: str, message: str, *, details: Any = None) -> None:
        super().__init__(413, code, message, details=details)


class OverloadedError(ServiceError):
    """429: the queue is full; come back after `retry_after_s` seconds."""

    def __init__(self, code: str, message: str, *, details: Any = None, retry_after_s: float = 1.0) -> None:
        super().__init__(429, code, message, details=details, retry_after_s=retry_after_s)


class UnavailableError(ServiceError):
    """503: draining, or something that this service needs is down; come back after `retry_after_s` seconds."""

    def __init__(self, code: str, message: str, *, details: Any = None, retry_after_s: float = 1.0) -> None:
        super().__init__(503, code, message, details=details, retry_after_s=retry_after_s)


class DeadlineError(ServiceError):
    """504: the request's own deadline passed."""

    def __init__(self, code: str, message: str, *, details: Any = None) -> None:
        super().__init__(504, code, message, details=details)


class StartupError(Exception):
    """The service can't start; its message is one sentence for a person, printed to stderr before exit code 2."""
