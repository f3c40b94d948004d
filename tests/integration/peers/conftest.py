"""Live services as processes of their own, a tiny policy, and other projects' programs where they are installed.

`PEERS_FOLDER` names a folder of packages that a development environment has no room for (`data/README.md` tells how to
fill it); the tests of what is missing are skipped, and the recordings of what it sent are replayed all the same.
"""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch
from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from transformers import AutoModelForTokenClassification, GPT2Config, LlamaConfig, LlamaForCausalLM

from services.client import RetryPolicy
from services.client.rewards.judging import Services
from services.executor.app import create_app as create_executor
from services.executor.settings import ExecutorSettings
from services.scorer.app import create_app as create_scorer
from services.scorer.settings import ScorerSettings
from trainer.tokenizers import train_bpe

if folder := os.environ.get("PEERS_FOLDER"):
    sys.path.append(folder)

RECORDINGS = Path(__file__).with_name("data") / "recordings.json"
PROMPT = "Write a function to add two numbers.\n"
PROGRAMS = ["def add(a, b):\n    return a + b\n", "def f(x):\n    y = x + 1\n    return y\n"]


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Models this small only lose by sharing a pass between threads."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    return train_bpe([PROMPT, *PROGRAMS], 300)


@pytest.fixture(scope="session")
def prm(tmp_path_factory: pytest.TempPathFactory, tokenizer: Any) -> Path:
    """A tiny checkpoint of random weights, widely spread, so that no two programs score alike."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("peers") / "prm"
    sizes = {"vocab_size": 300, "n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 512}
    config = GPT2Config(**sizes, num_labels=2, initializer_range=0.3, bos_token_id=1, eos_token_id=2)
    AutoModelForTokenClassification.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def policy(tokenizer: Any) -> Any:
    """A causal model of some thousand weights that has half learnt one program: it writes it right, and wrong."""
    torch.manual_seed(0)
    ids = {"pad_token_id": tokenizer.pad_token_id, "bos_token_id": None, "eos_token_id": tokenizer.eos_token_id}
    config = LlamaConfig(
        vocab_size=300, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, **ids
    )
    model = LlamaForCausalLM(config)
    ids = torch.tensor([[*tokenizer(PROMPT + PROGRAMS[0])["input_ids"], tokenizer.eos_token_id]])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(40):
        optimizer.zero_grad()
        model(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
    return model


@pytest.fixture(scope="session")
def run_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., str]]:
    """Start `linewise serve SERVICE ...` as a process of its own and return its URL; killed at the end."""
    processes = []
    folder = tmp_path_factory.mktemp("services")

    def run(service: str, *arguments: str) -> str:
        own = {name: value for name, value in os.environ.items() if not name.startswith("LINEWISE_")}
        environment = {**own, "LINEWISE_ALLOW_WEAK_ISOLATION": "1", "LINEWISE_DATA_DIR": str(folder)}
        with (folder / f"{service}.log").open("w") as log:
            port = free_port()
            command = [sys.executable, "-P", "-m", "services.cli", "serve", service, "--port", str(port), *arguments]
            processes.append(
                subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
            )
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 60
        while not is_ready(url):
            assert processes[-1].poll() is None, (folder / f"{service}.log").read_text()
            assert time.monotonic() < deadline, (folder / f"{service}.log").read_text()
            time.sleep(0.1)
        return url

    yield run
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait(30)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="session")
def services(run_service: Callable[..., str], prm: Path) -> Services:
    """A scorer that serves `prm` and an executor, each a process."""
    return Services(
        run_service("scorer", "--model", f"prm={prm}"),
        run_service("executor"),
        timeout_s=60,
        retry=RetryPolicy(attempts=3, first_s=0.05),
    )


@dataclass
class Listening:
    """A live service's URL, and what it has been sent: path with query, content type, body."""

    url: str
    sent: list[dict[str, str]]


@pytest.fixture
def listen(serve: Callable[[FastAPI], str], prm: Path) -> Callable[[str], Listening]:
    """Serve the scorer (of `prm`) or the executor on a real socket and keep the bodies that arrive."""

    def start(service: str) -> Listening:
        if service == "scorer":
            app = create_scorer(ScorerSettings(models=[f"prm={prm}"], torch_threads=1, max_wait_ms=200))
        else:
            app = create_executor(ExecutorSettings(workers=2))
        sent: list[dict[str, str]] = []
        app.add_middleware(_Keeping, sent=sent)
        return Listening(serve(app), sent)

    return start


class _Keeping:
    """ASGI middleware that keeps each POST's body as it came over the wire."""

    def __init__(self, app: ASGIApp, sent: list[dict[str, str]]) -> None:
        self._app = app
        self._sent = sent

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        kept = {"path": scope["path"], "content_type": headers.get("content-type", ""), "body": ""}
        self._sent.append(kept)

        async def keep() -> Message:
            message = await receive()
            kept["body"] += message.get("body", b"").decode()
            return message

        await self._app(scope, keep, send)


@pytest.fixture
def check_recording() -> Callable[[str, dict[str, str]], None]:
    """What a peer sent is what the recording of that name says; a name without a recording is recorded."""

    def check(name: str, sent: dict[str, str]) -> None:
        recordings = json.loads(RECORDINGS.read_text()) if RECORDINGS.exists() else {}
        if name not in recordings:
            RECORDINGS.write_text(json.dumps({**recordings, name: sent}, indent=2) + "\n")
            pytest.fail(f"{name} had no recording and has one now")
        assert sent == recordings[name]

    return check


@pytest.fixture
def recordings() -> dict[str, dict[str, str]]:
    recorded: dict[str, dict[str, str]] = json.loads(RECORDINGS.read_text())
    return recorded
