"""OpenRLHF's own rollout code asks `/get_reward`: only the engine that writes the answers is ours."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

agent = pytest.importorskip(
    "openrlhf.utils.agent", reason="OpenRLHF is not installed: see data/README.md", exc_type=ImportError
)
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # of OpenRLHF's and its libraries' doing

PROMPT = "Write a function to add two numbers.\n"
CODE = "def add(a, b):\n    return a + b\n"


class Engine:
    """In the place of vLLM: writes one answer, as tokens, with the end of sequence behind it."""

    def __init__(self, tokenizer: Any, answer: str) -> None:
        self._ids = [*tokenizer(answer)["input_ids"], tokenizer.eos_token_id]

    async def generate(self, prompt_ids: list[int], params: Any, multi_modal_data: Any = None) -> Any:
        return SimpleNamespace(outputs=[SimpleNamespace(token_ids=self._ids, finish_reason="stop", logprobs=None)])


async def roll_out(
    url: str, tokenizer: Any, answer: str, prompt: str = PROMPT, max_length: int = 512
) -> dict[str, Any]:
    """One rollout by OpenRLHF."""
    executor = agent.SingleTurnAgentExecutor(url)
    params = SimpleNamespace(max_tokens=64, logprobs=None)
    output: dict[str, Any] = await executor.execute(
        prompt, None, params, max_length, tokenizer, Engine(tokenizer, answer)
    )
    return output


async def mean(url: str, prompt: str, code: str) -> float:
    async with httpx.AsyncClient(base_url=url) as client:
        reply = await client.post("/score", json={"prompt": prompt, "code": code})
    return float(reply.json()["aggregate"]["mean"])


async def test_a_rollout_is_rewarded_with_the_programs_score(
    listen: Callable[[str], Any], tokenizer: Any, check_recording: Callable[..., None]
) -> None:
    scorer = listen("scorer")
    output = await roll_out(f"{scorer.url}/get_reward", tokenizer, f"Sure:\n```python\n{CODE}```\n")
    check_recording("openrlhf", scorer.sent[0])
    assert output["reward"] == output["scores"] == pytest.approx([await mean(scorer.url, PROMPT, CODE)], abs=1e-5)
    assert output["extra_logs"]["code_steps"] == [2.0]


async def test_64_rollouts_at_once_share_passes(listen: Callable[[str], Any], tokenizer: Any) -> None:
    scorer = listen("scorer")
    url = f"{scorer.url}/get_reward"
    outputs = await asyncio.gather(*(roll_out(url, tokenizer, f"x = {n}\n") for n in range(64)))
    assert len(scorer.sent) == 64
    assert all(len(output["reward"]) == 1 for output in outputs)
    async with httpx.AsyncClient(base_url=scorer.url) as client:
        lines = (await client.get("/metrics")).text.splitlines()
    [passes] = [line.split()[-1] for line in lines if line.startswith("linewise_scorer_batch_tokens_count")]
    assert 1 <= float(passes) < 20


async def test_a_prompt_that_openrlhf_cuts_is_found_by_its_end(listen: Callable[[str], Any], tokenizer: Any) -> None:
    scorer = listen("scorer")
    prompt = "Some words to be cut. " * 8 + PROMPT
    output = await roll_out(f"{scorer.url}/get_reward", tokenizer, CODE, prompt, max_length=64 + 40)
    assert output["reward"] == pytest.approx([await mean(scorer.url, prompt, CODE)], abs=1e-5)


async def test_a_refusal_is_no_reward(listen: Callable[[str], Any], tokenizer: Any) -> None:
    scorer = listen("scorer")
    output = await roll_out(f"{scorer.url}/get_reward?model=nope", tokenizer, CODE)
    assert (output["reward"], output["scores"], len(scorer.sent)) == (None, None, 5)
