"""The id of the request being served, so that one id follows a call through all services and their logs.

`services.kit` sets it from `X-Request-ID`; `services.client` sends it on. It lives here because both may import
only this package.
"""

from contextvars import ContextVar

HEADER = "X-Request-ID"
current_request_id: ContextVar[str | None] = ContextVar("linewise_request_id", default=None)
