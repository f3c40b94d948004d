"""All of Linewise as one command starts it, once for these tests, with every word of its logs."""

import gzip
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from services.cli.ports import free_ports

CODE = "def add(a, b):\n    total = a + b\n    return total\n"
PROBLEM = {"id": "1", "prompt": "Add.", "solution": CODE, "tests": ["assert add(1, 2) == 3"]}


@dataclass(frozen=True)
class House:
    """Three services, a worker and a Redis; `urls` by service."""

    urls: dict[str, str]
    data_dir: Path
    environment: dict[str, str]

    def logs(self) -> str:
        """All that its parts have said."""
        return "".join(path.read_text() for path in sorted((self.data_dir / "logs").iterdir()))

    def lines(self) -> list[dict[str, Any]]:
        """Those lines that are JSON, which is all of ours."""
        return [json.loads(line) for line in self.logs().splitlines() if line.startswith("{")]

    def client(self, service: str) -> httpx.Client:
        """A plain client."""
        return httpx.Client(base_url=self.urls[service], trust_env=False, timeout=60)

    def label(self, **fields: Any) -> dict[str, Any]:
        """A job of one problem, when it is over."""
        with self.client("labeler") as client:
            job = client.post("/jobs", json={"name": "one", "problems": [PROBLEM | fields]}).json()
            eventually(lambda: client.get(f"/jobs/{job['id']}").json()["status"] not in ("queued", "running"))
            return dict(client.get(f"/jobs/{job['id']}").json())


def eventually(condition: Any, within_s: float = 300.0) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


@pytest.fixture(scope="session")
def wait_until() -> Any:
    """Wait for a condition, or fail."""
    return eventually


@dataclass(frozen=True)
class Told:
    """A span as it was exported."""

    trace: str
    id: str
    parent: str
    name: str
    service: str
    attributes: dict[str, str]


class Collector(BaseHTTPRequestHandler):
    """A stand-in for OpenTelemetry's collector: takes OTLP over HTTP and keeps it."""

    bodies: ClassVar[list[bytes]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.bodies.append(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""

    @classmethod
    def of(cls, trace_id: str) -> list[Told]:
        """The spans of one trace so far."""
        return [span for span in cls.all() if span.trace == trace_id]

    @classmethod
    def all(cls) -> list[Told]:
        """Every span so far."""
        requests = [ExportTraceServiceRequest.FromString(body) for body in list(cls.bodies)]
        return [
            Told(
                span.trace_id.hex(),
                span.span_id.hex(),
                span.parent_span_id.hex(),
                span.name,
                next(it.value.string_value for it in group.resource.attributes if it.key == "service.name"),
                {it.key: _text(it.value) for it in span.attributes},
            )
            for request in requests
            for group in request.resource_spans
            for scope in group.scope_spans
            for span in scope.spans
        ]

    @classmethod
    def said(cls, text: str) -> bool:
        """Whether any span holds `text`."""
        return any(text.encode() in body for body in cls.bodies)


def _text(value: AnyValue) -> str:
    return str(getattr(value, value.WhichOneof("value")))


@pytest.fixture(scope="session")
def collector(collector_url: str) -> type[Collector]:
    """What the house has exported so far."""
    return Collector


@pytest.fixture(scope="session")
def collector_url() -> Iterator[str]:
    """Where the house exports to."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def house(checkpoint: Path, collector_url: str) -> Iterator[House]:
    """`linewise up`, ready; its folder has a short name, for so must a unix socket."""
    ports = dict(zip(("scorer", "executor", "labeler"), free_ports(3), strict=True))
    urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    own = {name: value for name, value in os.environ.items() if not name.startswith(("LINEWISE_", "OTEL_"))}
    with tempfile.TemporaryDirectory(prefix="lw-") as folder:
        environment = own | {
            "LINEWISE_DATA_DIR": folder,
            "LINEWISE_ALLOW_WEAK_ISOLATION": "1",
            "LINEWISE_LOG_LEVEL": "DEBUG",
            "LINEWISE_SCORER_TORCH_THREADS": "1",
            "OMP_NUM_THREADS": "1",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector_url,
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            **{f"LINEWISE_{name.upper()}_URL": url for name, url in urls.items()},
        }
        options = [part for name, port in ports.items() for part in (f"--{name}-port", str(port))]
        command = [sys.executable, "-P", "-m", "services.cli", "up", "--model", str(checkpoint), "--concurrency", "1"]
        process = subprocess.Popen([*command, *options], env=environment, stdout=subprocess.DEVNULL)
        try:
            eventually(lambda: process.poll() is not None or all(map(is_ready, urls.values())))
            assert process.poll() is None
            yield House(urls, Path(folder), environment)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=60)


def is_ready(url: str) -> bool:
    """Whether a service serves."""
    try:
        return httpx.get(f"{url}/readyz", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False
