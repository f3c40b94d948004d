"""Model servers on real sockets: one of our own that answers from a script, and `transformers serve`.

The script is no mock of our client: it is asked over HTTP, by a worker in another process, and misbehaves as servers
do. What it can't show, that a server which others wrote understands our requests, `transformers serve` does; its tiny
model has random weights, so it can write nothing but nonsense.
"""

import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request, Response

from services.client import LabelerClient
from services.labeler.app import create_app

Answer = Callable[[dict[str, Any]], Response | str]

_MISTAKES = (
    ("+=", "-="),
    (" > ", " < "),
    (" < ", " > "),
    ("== 0", "== 1"),
    ("= 0", "= 5"),
    ("= []", "= [7]"),
    ("range(n)", "range(n + 1)"),
    ("return ", "return not "),
)


class ScriptedModel:
    """An OpenAI-compatible server: `faults` are answered first, in order; then whatever `answer` says of a body."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.faults: list[Response] = []
        self.bodies: list[dict[str, Any]] = []
        self.authorizations: set[str | None] = set()
        self._lock = threading.Lock()
        self.app = FastAPI()
        self.app.post("/v1/chat/completions")(self._chat)
        self.app.post("/v1/completions")(self._complete)

    async def _chat(self, request: Request) -> Response:
        return await self._reply(request, lambda text: {"message": {"role": "assistant", "content": text}})

    async def _complete(self, request: Request) -> Response:
        return await self._reply(request, lambda text: {"text": text})

    async def _reply(self, request: Request, choice: Callable[[str], dict[str, Any]]) -> Response:
        import asyncio

        body = await request.json()
        with self._lock:
            self.bodies.append(body)
            self.authorizations.add(request.headers.get("authorization"))
            if self.faults:
                return self.faults.pop(0)
        said = await asyncio.to_thread(self.answer, body)
        if isinstance(said, Response):
            return said
        usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
        choices = [{"index": 0, "finish_reason": "stop", **choice(said)}]
        return Response(json.dumps({"choices": choices, "usage": usage}), media_type="application/json")


def change_as_asked(body: dict[str, Any]) -> str:
    """What a good model says: prose, a version for each mistake that it knows, tidied up; and some that are useless."""
    [message] = body["messages"]
    code = message["content"].partition("```python\n")[2].partition("```")[0]
    number = int(re.search(r"line (\d+)", message["content"].partition("Write ")[2]).group(1))
    lines = code.splitlines()
    line = lines[number - 1]
    if "means the\nsame" in message["content"]:
        changed = [line.replace("return x", "return (x) + 0")] if "return x" in line else []
    else:
        changed = [line.replace(old, new, 1) + "  # oops" for old, new in _MISTAKES if old in line]
    versions = ["\n".join([*lines[: number - 1], text.expandtabs(4), *lines[number:]]) for text in changed]
    useless = ["print(1)", code, code.replace("return", "retrun x y")]
    blocks = "\n".join(f"Version:\n```python\n{version}\n```" for version in [*versions, *useless])
    return f"<think>```python\nx = 1\n```</think>Sure!\n{blocks}\n```python\nunfinished"


@pytest.fixture
async def client(settings, serve):
    async with LabelerClient(serve(create_app(settings))) as client:
        yield client


@pytest.fixture
def chat_model() -> ScriptedModel:
    """Answers chat questions about changes."""
    return ScriptedModel(change_as_asked)


@pytest.fixture
def model_url(serve: Callable[[FastAPI], str], chat_model: ScriptedModel) -> str:
    return f"{serve(chat_model.app)}/v1"


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of random weights, its tokenizer and a chat template."""
    from transformers import LlamaConfig, LlamaForCausalLM

    from trainer.tokenizers import train_bpe

    tokenizer = train_bpe(["def add(a, b):\n    return a + b\n```python\n```\nprint(1) for x in range(n):"] * 4, 300)
    tokenizer.chat_template = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant:"
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    folder = tmp_path_factory.mktemp("model") / "tiny"
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def transformers_url(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`transformers serve`, a process of its own, offline."""
    import time

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    folder = tmp_path_factory.mktemp("hub")
    offline = {"HF_HOME": str(folder), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    command = str(Path(sys.executable).with_name("transformers"))
    arguments = [command, "serve", str(tiny_model), "--device", "cpu", "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(
        arguments, env=os.environ | offline, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 120
        while not _is_healthy(port):
            assert process.poll() is None, "transformers serve ended"
            assert time.monotonic() < deadline, "transformers serve does not answer"
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=20)
        process.kill()
        process.wait()


def _is_healthy(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False
