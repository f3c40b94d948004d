"""What the worker's liveness probe makes of a real worker whose Redis is away, stands still, or that itself does."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.slow
MANIFEST = Path(__file__).parents[3] / "k8s/base/worker.yaml"


class Probed:
    """A worker's process, and the command that Kubernetes asks whether it lives."""

    def __init__(self, process, heartbeat, log):
        self.process = process
        self._heartbeat, self._log = heartbeat, log
        [deployment] = [it for it in yaml.safe_load_all(MANIFEST.read_text()) if it["kind"] == "Deployment"]
        [container] = deployment["spec"]["template"]["spec"]["containers"]
        file = container["args"][container["args"].index("--heartbeat-file") + 1]
        command = container["livenessProbe"]["exec"]["command"]
        self._probe = [word.replace(file, str(heartbeat)) for word in command]

    def is_alive(self):
        return subprocess.run(self._probe).returncode == 0

    def forget_heartbeats(self):
        """As if the last one were an hour ago."""
        an_hour_ago = time.time() - 3600
        os.utime(self._heartbeat, (an_hour_ago, an_hour_ago))

    def silent_s(self):
        return time.time() - self._heartbeat.stat().st_mtime

    def said(self, words):
        return self._log.read_text().count(words)


@pytest.fixture
def worker(redis_server, run_process, tmp_path, wait_until):
    ready, heartbeat, log = (tmp_path / name for name in ("ready", "alive", "log"))
    command = [sys.executable, "-P", "-m", "services.cli", "worker", "--concurrency", "1"]
    files = ["--ready-file", str(ready), "--heartbeat-file", str(heartbeat)]
    variables = {
        "LINEWISE_DATA_DIR": str(tmp_path),
        "LINEWISE_REDIS_URL": redis_server.url,
        "LINEWISE_LABELER_VISIBILITY_TIMEOUT_S": "2",
    }
    ready.touch()  # a worker before this one has left it
    with (
        log.open("wb") as stdout,
        run_process([*command, *files], signal.SIGKILL, env=os.environ | variables, stdout=stdout) as process,
    ):
        wait_until(lambda: heartbeat.exists() and ready.exists(), "the worker takes tasks")
        worker = Probed(process, heartbeat, log)
        assert worker.is_alive()
        yield worker


def test_a_worker_that_waits_for_its_redis_is_alive_and_so_it_is_when_redis_is_back(worker, redis_server, wait_until):
    redis_server.kill()
    wait_until(lambda: worker.said("next try in"), "the worker misses Redis")
    worker.forget_heartbeats()
    wait_until(worker.is_alive, "a heartbeat while it waits")
    redis_server.start()
    wait_until(lambda: worker.said("Connected to") == 2, "the worker has found Redis again")
    worker.forget_heartbeats()
    wait_until(worker.is_alive, "a heartbeat of the loop")


def test_a_redis_that_stands_still_stops_a_workers_heart_for_seconds_only(worker, redis_server, wait_until):
    redis_server.send(signal.SIGSTOP)
    wait_until(lambda: worker.silent_s() > 2, "the worker waits for an answer")
    worker.forget_heartbeats()
    wait_until(worker.is_alive, "a heartbeat though no answer came")
    redis_server.send(signal.SIGCONT)


def test_a_worker_that_stands_still_is_found_out(worker, wait_until):
    worker.process.send_signal(signal.SIGSTOP)
    worker.forget_heartbeats()
    assert not worker.is_alive()
    worker.process.send_signal(signal.SIGCONT)
    wait_until(worker.is_alive, "a heartbeat when it goes on")
