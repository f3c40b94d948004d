"""What OpenRLHF and verl sent when they were recorded, byte for byte, to live services."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

CODE = "def add(a, b):\n    return a + b\n"


def replay(url: str, recording: dict[str, str]) -> dict[str, Any]:
    reply = httpx.post(
        f"{url}{recording['path']}",
        content=recording["body"].encode(),
        headers={"Content-Type": recording["content_type"]},
    )
    assert reply.status_code == 200, reply.text
    body: dict[str, Any] = reply.json()
    return body


def mean(url: str, prompt: str) -> float:
    reply = httpx.post(f"{url}/score", json={"prompt": prompt, "code": CODE}).json()
    return float(reply["aggregate"]["mean"])


def test_openrlhfs_query_is_rewarded(recordings: dict[str, Any], listen: Callable[[str], Any]) -> None:
    url = listen("scorer").url
    reply = replay(url, recordings["openrlhf"])
    expected = [mean(url, "Write a function to add two numbers.\n")]
    assert reply["rewards"] == reply["scores"] == pytest.approx(expected, abs=1e-5)
    assert all(isinstance(value, float) for values in reply["extra_logs"].values() for value in values)


def test_verls_reward_model_request_is_classified(recordings: dict[str, Any], listen: Callable[[str], Any]) -> None:
    url = listen("scorer").url
    reply = replay(url, recordings["verl reward model"])
    expected = mean(url, "<|im_start|>user\nWrite a function to add two numbers.<|im_end|>\n")
    assert reply["data"][-1]["probs"][-1] == pytest.approx(expected, abs=1e-5)


def test_verls_sandbox_request_is_run(recordings: dict[str, Any], listen: Callable[[str], Any]) -> None:
    reply = replay(listen("executor").url, recordings["verl sandbox"])
    assert (reply["status"], reply["compile_result"]) == ("Success", None)
    assert (reply["run_result"]["status"], reply["run_result"]["stdout"]) == ("Finished", "6\n")
