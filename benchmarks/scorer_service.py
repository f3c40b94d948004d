"""The servers of the scorer's benchmark: ours and infinity-emb's, each a process of its own, and their memory."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from scorer_client import Call, make

from services.contracts import ScoreRequest

START_S = 180.0
STOP_S = 30.0


@dataclass(frozen=True)
class Server:
    """Where it listens and which process it is."""

    url: str
    pid: int

    @property
    def peak_bytes(self) -> int:
        """The most memory it ever had resident."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


@contextmanager
def served(folder: Path, threads: int, dtype: str = "float32") -> Iterator[Server]:
    """`linewise serve scorer` on that checkpoint, remembering no scores."""
    settings = {"CACHE_ENTRIES": "0", "TORCH_THREADS": str(threads), "DTYPE": dtype}
    environment = os.environ | {f"LINEWISE_SCORER_{name}": value for name, value in settings.items()}
    port = _free_port()
    command = [sys.executable, "-m", "services.cli", "serve", "scorer", "--model", f"prm={folder}", "--port", str(port)]
    with _process(command, environment, f"http://127.0.0.1:{port}", "/readyz") as server:
        yield server


@contextmanager
def infinity(python: Path, folder: Path, threads: int) -> Iterator[Server]:
    """infinity-emb on a copy of the checkpoint that its older transformers can read, one score a program."""
    with tempfile.TemporaryDirectory() as parent:
        copy = Path(parent) / "classifier"
        shutil.copytree(folder, copy)
        inputs = ["input_ids", "attention_mask"]
        tokenizer = {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_input_names": inputs,
            "model_max_length": 1024,
        }
        _edit(copy / "tokenizer_config.json", **tokenizer)
        name = json.loads((copy / "config.json").read_text())["architectures"][0].replace("Token", "Sequence")
        _edit(copy / "config.json", architectures=[name], torch_dtype="float32", id2label={"0": "wrong", "1": "right"})
        port = _free_port()
        options = {"model-id": copy, "served-model-name": "prm", "device": "cpu", "engine": "torch", "port": port}
        arguments = [part for name, value in options.items() for part in (f"--{name}", str(value))]
        command = [
            str(python.parent / "infinity_emb"),
            "v2",
            *arguments,
            "--dtype",
            "float32",
            "--no-bettertransformer",
        ]
        environment = os.environ | {"OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1"}
        environment.pop("PYTHONPATH", None)
        with _process(command, environment, f"http://127.0.0.1:{port}", "/health") as server:
            yield server


def _edit(path: Path, **fields: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def _process(command: list[str], environment: dict[str, str], url: str, ready: str) -> Iterator[Server]:
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            if not _is_ready(process, url + ready):
                log.seek(0)
                raise SystemExit(f"{command[0]} did not become ready; its log:\n{log.read()[-2000:]}")
            yield Server(url, process.pid)
        finally:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _is_ready(process: subprocess.Popen[bytes], url: str) -> bool:
    deadline = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(url, trust_env=False).is_success:
                return True
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    return False


def constant(reply: str) -> AbstractContextManager[Server]:
    """The same framework with that reply and no scoring behind it (`scorer_floor`)."""
    port = _free_port()
    command = [sys.executable, str(Path(__file__).with_name("scorer_floor.py")), str(port), reply]
    return _process(command, dict(os.environ), f"http://127.0.0.1:{port}", "/readyz")


def in_batches(server: Server, requests: Sequence[ScoreRequest], *, of: int, at_once: int = 1) -> Callable[[], None]:
    """`POST /score/batch` for each so many programs, so many of them under way at any time, each time."""
    calls = [Call.post(f"{server.url}/score/batch", {"items": _bodies(part)}) for part in _parts(requests, of)]

    def score() -> None:
        replies = make(calls, at_once=at_once)
        assert sum(len(reply["results"]) for reply in replies) == len(requests)

    return score


def in_single_calls(server: Server, requests: Sequence[ScoreRequest], *, at_once: int) -> Callable[[], None]:
    """`POST /score` for each, so many of them under way at any time, each time."""
    calls = [Call.post(f"{server.url}/score", body) for body in _bodies(requests)]

    def score() -> None:
        assert all(reply["steps"] for reply in make(calls, at_once=at_once))

    return score


def classify(server: Server, requests: Sequence[ScoreRequest], *, of: int) -> Callable[[], None]:
    """infinity-emb's `POST /classify` for each so many programs, one call after the other, each time."""
    texts = [[f"{request.prompt}\n{request.code}" for request in part] for part in _parts(requests, of)]
    calls = [Call.post(f"{server.url}/classify", {"model": "prm", "input": part}) for part in texts]

    def score() -> None:
        assert sum(len(reply["data"]) for reply in make(calls)) == len(requests)

    return score


def one_reply(server: Server, request: ScoreRequest) -> str:
    """A reply of ours, as JSON."""
    return json.dumps(make([Call.post(f"{server.url}/score", request.model_dump(mode="json"))])[0])


def _parts(requests: Sequence[ScoreRequest], of: int) -> list[Sequence[ScoreRequest]]:
    return [requests[start : start + of] for start in range(0, len(requests), of)]


def _bodies(requests: Sequence[ScoreRequest]) -> list[dict[str, Any]]:
    return [request.model_dump(mode="json") for request in requests]
