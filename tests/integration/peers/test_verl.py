"""verl's own reward code: its reward model's client, its reward manager around `compute_score`, its sandbox client."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest
import torch

from services.client import Services

_MISSING = "verl is not installed: see data/README.md"
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # of verl's and its libraries' doing

PROMPT = "Write a function to add two numbers."
CODE = "def add(a, b):\n    return a + b\n"
CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@pytest.fixture
def rollout(tokenizer: Any) -> Callable[..., Any]:
    """One answer as verl hands it to its reward code."""
    protocol = pytest.importorskip("verl.protocol", reason=_MISSING, exc_type=ImportError)

    def make(answer: str, **columns: Any) -> Any:
        ids = torch.tensor([[*tokenizer(answer)["input_ids"], tokenizer.eos_token_id]])
        row = {"raw_prompt": [{"role": "user", "content": PROMPT}], "data_source": "mbpp", **columns}
        return protocol.DataProto.from_dict(
            tensors={"responses": ids, "attention_mask": torch.ones_like(ids)},
            non_tensors={name: as_object(value) for name, value in row.items()},
        )

    return make


def as_object(value: Any) -> Any:
    array = np.empty(1, dtype=object)
    array[0] = value
    return array


async def test_its_reward_models_client_reads_the_aggregate(
    rollout: Callable[..., Any],
    listen: Callable[[str], Any],
    tokenizer: Any,
    check_recording: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = pytest.importorskip("verl.experimental.reward_loop.reward_loop", reason=_MISSING, exc_type=ImportError)
    from omegaconf import OmegaConf

    scorer = listen("scorer")
    monkeypatch.setattr(tokenizer, "chat_template", CHATML)
    worker = object.__new__(loop.RewardLoopWorker)  # its constructor downloads tokenizers
    reward_model = {"model_path": "/models/prm", "rollout": {"name": "vllm"}}
    worker.config = OmegaConf.create({"reward": {"reward_model": reward_model}})
    worker.reward_router_address = scorer.url.removeprefix("http://")
    worker.input_tokenizer = worker.reward_model_tokenizer = tokenizer

    reward = await worker.compute_score_disrm(rollout(f"Sure:\n```python\n{CODE}```\n"))
    check_recording("verl reward model", scorer.sent[0])
    async with httpx.AsyncClient(base_url=scorer.url) as client:
        prompt = f"<|im_start|>user\n{PROMPT}<|im_end|>\n"
        scored = (await client.post("/score", json={"prompt": prompt, "code": CODE})).json()
    assert reward["reward_score"] == pytest.approx(scored["aggregate"]["mean"], abs=1e-5)


async def test_its_reward_manager_runs_compute_score(
    rollout: Callable[..., Any], services: Services, tokenizer: Any
) -> None:
    rewards = pytest.importorskip("verl.trainer.ppo.reward", reason=_MISSING, exc_type=ImportError)
    from omegaconf import OmegaConf

    options = {"scorer_url": services.scorer_url, "executor_url": services.executor_url, "outcome_weight": 0.25}
    function = {"path": "pkg://services.client", "name": "compute_score", "reward_kwargs": options}
    manager_kind = {"source": "register", "name": "naive"}
    config = OmegaConf.create({"reward": {"custom_reward_function": function, "reward_manager": manager_kind}})
    manager = rewards.load_reward_manager(config, tokenizer)
    extra = {"prompt": PROMPT, "index": 1}
    truth = {"ground_truth": np.array(["assert add(1, 2) == 3"], dtype=object), "style": "rule"}
    result = await manager.run_single(rollout(f"```python\n{CODE}```\n", reward_model=truth, extra_info=extra))

    async with httpx.AsyncClient(base_url=services.scorer_url or "") as client:
        process = (await client.post("/score", json={"prompt": PROMPT, "code": CODE})).json()["aggregate"]["mean"]
    assert result["reward_score"] == pytest.approx(0.75 * process + 0.25, abs=1e-5)
    assert result["reward_extra_info"]["outcome"] == 1.0


def test_its_sandbox_client_is_answered_by_run_code(
    listen: Callable[[str], Any], check_recording: Callable[..., None]
) -> None:
    sandbox = pytest.importorskip("verl.utils.reward_score.sandbox_fusion", reason=_MISSING, exc_type=ImportError)
    executor = listen("executor")
    url = f"{executor.url}/run_code"

    def score(code: str, tests: dict[str, Any]) -> tuple[float, list[Any]]:
        value, details = sandbox.compute_score(url, None, 512, f"```python\n{code}```", json.dumps(tests), timeout=10)
        return value, [detail["status"] for detail in details]

    doubled = "print(int(input()) * 2)\n"
    assert score(doubled, {"inputs": ["3\n"], "outputs": ["6\n"]}) == (1.0, ["success"])
    check_recording("verl sandbox", executor.sent[0])
    assert score(doubled, {"inputs": ["3\n", "4\n"], "outputs": ["6\n", "9\n"]}) == (0.5, ["success", "wrong_answer"])
    assert score(doubled, {"inputs": ["x\n"], "outputs": ["6\n"]}) == (0.0, ["runtime_error"])
    calls = {"fn_name": "add", "inputs": ["1\n2", "3\n4"], "outputs": ["3", "7"]}
    assert score(CODE, calls) == (1.0, ["success", "success"])
    asserts = {"assert_case": ["assert add(1, 2) == 3", "assert add(1, 2) == 4"]}
    assert score(CODE, asserts) == (0.5, ["success", "runtime_error"])
