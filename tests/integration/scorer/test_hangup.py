"""A client that hangs up takes its work with it, through real uvicorn."""

import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI

from services.scorer.app import create_app
from services.scorer.settings import ScorerSettings

PROGRAM = {"prompt": "Add one.", "code": "def f(x):\n    return x + 1\n"}
QUERY = {"query": ["Add one.\nx = 1\n"], "prompts": ["Add one.\n"]}


@pytest.fixture
def url(serve: Callable[[FastAPI], str], checkpoint: Callable[[str], Path]) -> str:
    """A scorer where a lone request waits for company, longer than a test takes."""
    settings = ScorerSettings(models=[str(checkpoint("llama"))], torch_threads=1, max_wait_ms=60_000)
    return serve(create_app(settings))


def wait_for(url: str, sample: str, value: float) -> None:
    deadline = time.monotonic() + 20
    while f"\n{sample} {value}\n" not in httpx.get(f"{url}/metrics").text:
        assert time.monotonic() < deadline, f"{sample} never became {value}"
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("route", "body"), [("/score", PROGRAM), ("/score/batch", {"items": [PROGRAM]}), ("/get_reward", QUERY)]
)
def test_a_client_that_hangs_up_is_never_scored(route: str, body: object, url: str) -> None:
    content = json.dumps(body)
    head = f"POST {route} HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: {len(content)}"
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port)) as client:
        client.sendall(f"{head}\r\n\r\n{content}".encode())
        wait_for(url, "linewise_scorer_queue_depth", 1.0)
    wait_for(url, "linewise_scorer_queue_depth", 0.0)
    wait_for(url, f'linewise_http_requests_total{{method="POST",route="{route}",status="499"}}', 1.0)
    assert "linewise_scorer_passes_total{" not in httpx.get(f"{url}/metrics").text


def test_a_client_that_hangs_up_in_the_middle_of_its_body_is_no_failure_of_ours(url: str) -> None:
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port)) as client:
        client.sendall(b"POST /score HTTP/1.1\r\nHost: test\r\nContent-Length: 100\r\n\r\n{")
        wait_for(url, "linewise_http_requests_in_flight", 2.0)
    wait_for(url, 'linewise_http_requests_total{method="POST",route="/score",status="499"}', 1.0)
