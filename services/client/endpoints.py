"""Where clients look when they are not told: the environment, else loopback and the contract's ports."""

import os

DEFAULT_URLS = {
    "scorer": "http://127.0.0.1:8001",
    "executor": "http://127.0.0.1:8002",
    "labeler": "http://127.0.0.1:8003",
}


def default_url(service: str) -> str:
    """`LINEWISE_<SERVICE>_URL`, or loopback and the default port of `service`."""
    return os.environ.get(f"LINEWISE_{service.upper()}_URL") or DEFAULT_URLS[service]


def default_api_key() -> str | None:
    """`LINEWISE_API_KEY`, the key that clients send."""
    return os.environ.get("LINEWISE_API_KEY") or None
