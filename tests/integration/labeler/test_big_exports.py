"""A job of a hundred thousand labelled programs is exported and counted in constant memory.

The labeler is a process of its own; what is bounded is how much its peak, as the kernel counts it, grows between a
small job's export and the big one's. The big one's records weigh some 200 MB as objects.
"""

import json
import re
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import create_engine, text

from services.contracts import JobRequest, Problem
from services.labeler.settings import LabelerSettings
from services.labeler.storage import Database, JobRepository

PROGRAMS = 100_000
A_PROBLEM = 40
GROWTH_MIB = 48
SERVE = """
import json, sys
from services.kit.server import run
from services.labeler.app import create_app
from services.labeler.settings import LabelerSettings
settings = LabelerSettings(**json.loads(sys.argv[1]))
run(create_app(settings), host="127.0.0.1", port=int(sys.argv[2]), settings=settings)
"""
LINES = [f"    line_{number} = {number} * total + offset\\n" for number in range(20)]
STEPS = [[33 * number, 33 * number + 32, 1] for number in range(20)]
FILL = """
WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < :last)
INSERT INTO programs
  (job_id, position, number, origin, operator, changed_step, code, outcome, verdict, killed_by, steps)
SELECT :job_id, n / :a_problem, n % :a_problem, 'mutation', 'constant', 3, :code, 'killed', 'wrong_answer', 'base',
  CAST(:steps AS JSON) FROM numbers
"""


@pytest.fixture
def labeler(
    settings: LabelerSettings, database_url: str, run_process: Callable[..., Any], wait_until: Callable[..., None]
) -> Iterator[tuple[str, int]]:
    """The URL and the process id of a labeler on either database."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    fields = settings.model_copy(update={"database_url": database_url}).model_dump(mode="json", exclude={"api_keys"})
    with run_process([sys.executable, "-c", SERVE, json.dumps(fields | {"log_level": "ERROR"}), str(port)]) as process:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: is_ready(url), "the labeler is ready")
        yield url, process.pid


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture
def fill(database_url: str, labeler: tuple[str, int]) -> Callable[[int], str]:
    """Make a job of so many programs, in the database itself."""

    def filled(programs: int) -> str:
        count = programs // A_PROBLEM
        problems = [Problem(id=f"p{number}", prompt="Do it.", solution="x = 1\n", tests=[]) for number in range(count)]
        database = Database(database_url)
        job_id = JobRepository(database).create(JobRequest(name="big", problems=problems), "")
        database.close()
        engine = create_engine(database_url.replace("postgresql://", "postgresql+psycopg://"))
        statement = FILL if engine.dialect.name == "postgresql" else FILL.replace("CAST(:steps AS JSON)", ":steps")
        values = {"last": programs - 1, "job_id": job_id, "a_problem": A_PROBLEM, "code": "".join(LINES)}
        with engine.begin() as connection:
            connection.execute(text(statement), values | {"steps": json.dumps(STEPS)})
        engine.dispose()
        return job_id

    return filled


def read(url: str, path: str) -> tuple[int, int]:
    """Bytes and newlines of an answer, none of which is kept."""
    size = newlines = 0
    with httpx.stream("GET", f"{url}{path}", timeout=120, trust_env=False) as answer:
        assert answer.status_code == 200
        for piece in answer.iter_raw():
            size += len(piece)
            newlines += piece.count(b"\n")
    return size, newlines


def peak_mib(pid: int) -> float:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) / 1024


@pytest.mark.slow
def test_every_export_of_a_big_job_streams_and_the_card_counts_it(
    labeler: tuple[str, int], fill: Callable[[int], str]
) -> None:
    url, pid = labeler
    paths = ("labels?format=jsonl", "labels?format=trl&split=validation", "labels?format=parquet", "card", "mutants")
    small, big = fill(4_000), fill(PROGRAMS)
    for path in paths:
        read(url, f"/jobs/{small}/{path}")
    before = peak_mib(pid)
    sizes = {path: read(url, f"/jobs/{big}/{path}") for path in paths}
    grown = peak_mib(pid) - before
    assert sizes["labels?format=jsonl"][1] == PROGRAMS
    assert sizes["labels?format=jsonl"][0] > 100_000_000
    assert 0.05 < sizes["labels?format=trl&split=validation"][1] / PROGRAMS < 0.2
    assert grown < GROWTH_MIB
    assert "| mutation | constant | 100,000 |" in httpx.get(f"{url}/jobs/{big}/card", trust_env=False).text
