"""`/get_reward`, `/classify` and `/pooling` over a real socket: their numbers are those of `/score`."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from services.contracts import AggregateForm
from services.scorer.app import create_app
from services.scorer.settings import ScorerSettings

Serve = Callable[[FastAPI], str]
FORMS = [form.value for form in AggregateForm]
PROMPT = "Write a function to add one."
CODE = "def f(x):\n    # add\n\n    y = x + 1\n    return y\n"
CHAT = f"<|im_start|>user\n{PROMPT}<|im_end|>\n<|im_start|>assistant\n"


@pytest.fixture
def scorer(serve: Serve, checkpoint: Callable[[str], Path]) -> Callable[..., str]:
    """Serve the checkpoint `prm`, with settings."""
    return lambda **settings: serve(
        create_app(ScorerSettings(models=[f"prm={checkpoint('gpt2')}"], torch_threads=1, **settings))
    )


@pytest.fixture
def url(scorer: Callable[..., str]) -> str:
    return scorer()


def score(url: str, prompt: str = PROMPT, code: str = CODE, **options: Any) -> dict[str, Any]:
    reply = httpx.post(f"{url}/score", json={"prompt": prompt, "code": code, **options})
    assert reply.status_code == 200
    body: dict[str, Any] = reply.json()
    return body


def get_reward(
    url: str, *completions: str, options: str = "", prompt: str = f"{PROMPT}\n", **body: Any
) -> httpx.Response:
    body = {
        "query": [prompt + completion for completion in completions],
        "prompts": [prompt] * len(completions),
        "labels": [None] * len(completions),
        **body,
    }
    return httpx.post(f"{url}/get_reward{options}", json=body)


def test_a_query_has_exactly_one_number_and_the_rest_are_logs(url: str) -> None:
    expected = score(url, f"{PROMPT}\n")
    body = get_reward(url, f"Sure:\n```python\n{CODE}```</s>").json()
    assert set(body) == {"rewards", "scores", "extra_logs"}
    assert body["rewards"] == body["scores"] == pytest.approx([expected["aggregate"]["mean"]])
    for form in FORMS:
        assert body["extra_logs"][f"prm_{form}"] == pytest.approx([expected["aggregate"][form]])
    assert (body["extra_logs"]["code_steps"], body["extra_logs"]["truncated"]) == ([3.0], [0.0])


def test_every_query_of_many_has_its_number_in_order(url: str) -> None:
    codes = [f"x = {n}\n" for n in range(5)]
    body = get_reward(url, *codes).json()
    expected = score_batch(url, [{"prompt": f"{PROMPT}\n", "code": code} for code in codes])
    assert body["rewards"] == pytest.approx(expected, abs=1e-5)
    assert {len(values) for values in body["extra_logs"].values()} == {5}


@pytest.mark.parametrize("form", FORMS)
def test_the_form_is_the_requests_or_the_settings(form: str, scorer: Callable[..., str]) -> None:
    url = scorer(aggregate=form)
    expected = score(url, f"{PROMPT}\n")["aggregate"]
    asked = {options: get_reward(url, CODE, options=options).json()["rewards"] for options in ("", "?aggregate=mean")}
    assert asked[""] == pytest.approx([expected[form]])
    assert asked["?aggregate=mean"] == pytest.approx([expected["mean"]])


@pytest.mark.parametrize("completion", ["", "# nothing\n", "```python\n```", "</s>"])
def test_a_program_without_code_earns_0(completion: str, url: str) -> None:
    body = get_reward(url, completion).json()
    assert (body["rewards"], body["extra_logs"]["code_steps"]) == ([0.0], [0.0])


async def test_64_single_calls_at_once_share_passes(scorer: Callable[..., str]) -> None:
    url = scorer(max_wait_ms=300)
    bodies = [{"query": [f"Add {n}.\nx += {n}\n"], "prompts": [f"Add {n}.\n"], "labels": [None]} for n in range(64)]
    async with httpx.AsyncClient(base_url=url, limits=httpx.Limits(max_connections=64)) as client:
        replies = await asyncio.gather(*(client.post("/get_reward", json=body) for body in bodies))
    passes_made = passes(url)
    assert 1 <= passes_made < 20
    items = [{"prompt": f"Add {n}.\n", "code": f"x += {n}\n"} for n in range(64)]
    expected = score_batch(url, items)
    assert [reply.json()["rewards"][0] for reply in replies] == pytest.approx(expected, abs=1e-4)


def score_batch(url: str, items: list[dict[str, str]]) -> list[float]:
    results = httpx.post(f"{url}/score/batch", json={"items": items}).json()["results"]
    return [result["aggregate"]["mean"] for result in results]


def passes(url: str) -> int:
    lines = httpx.get(f"{url}/metrics").text.splitlines()
    return sum(int(float(line.split()[-1])) for line in lines if line.startswith("linewise_scorer_batch_tokens_count"))


@pytest.mark.parametrize(
    ("body", "options", "status", "code"),
    [
        ({"prompts": None}, "", 400, "prompts_needed"),
        ({"prompts": []}, "", 400, "prompts_needed"),
        ({"prompts": ["Another prompt, which it does not begin with.\n"]}, "", 400, "prompt_not_found"),
        ({"query": None}, "", 422, "malformed_request"),
        ({}, "?aggregate=median", 422, "malformed_request"),
        ({}, "?agregate=min", 422, "malformed_request"),
        ({}, "?model=nope", 404, "unknown_model"),
    ],
)
def test_what_cannot_be_rewarded_is_a_refusal(
    body: dict[str, Any], options: str, status: int, code: str, url: str
) -> None:
    reply = get_reward(url, CODE, options=options, **body)
    assert (reply.status_code, reply.json()["error"]["code"]) == (status, code)
    assert "Retry-After" not in reply.headers


def test_too_long_is_413_unless_the_prompt_may_be_cut(scorer: Callable[..., str]) -> None:
    url = scorer(max_input_tokens=64)
    long = "word " * 200
    refused = get_reward(url, CODE, prompt=long)
    assert (refused.status_code, refused.json()["error"]["code"]) == (413, "too_long")
    cut = get_reward(url, CODE, prompt=long, options="?truncate=prompt").json()
    assert cut["extra_logs"]["truncated"] == [1.0]


async def test_a_full_queue_is_429_and_says_when_to_come_back(scorer: Callable[..., str]) -> None:
    body = {"query": [PROMPT + CODE], "prompts": [PROMPT], "labels": [None]}
    async with httpx.AsyncClient(base_url=scorer(max_queue=1, max_wait_ms=500)) as client:
        replies = await asyncio.gather(
            *(client.post("/get_reward", json={**body, "query": [f"{PROMPT}x = {n}"]}) for n in range(4))
        )
    assert sorted(reply.status_code for reply in replies) == [200, 429, 429, 429]
    assert {reply.headers.get("Retry-After") for reply in replies if reply.status_code == 429} == {"1"}


def test_without_a_model_it_is_503_and_says_when_to_come_back(serve: Serve) -> None:
    reply = get_reward(serve(create_app(ScorerSettings())), CODE)
    assert (reply.status_code, reply.headers["Retry-After"]) == (503, "30")


def test_classify_answers_as_vllm_does(url: str) -> None:
    expected = score(url, f"<|im_start|>user\n{PROMPT}<|im_end|>\n")["aggregate"]["mean"]
    body = {"model": "/models/prm", "input": f"{CHAT}{CODE}<|im_end|>\n", "use_activation": False}
    reply = httpx.post(f"{url}/classify", json=body).json()
    assert set(reply) == {"id", "object", "created", "model", "data", "usage"}
    assert (reply["object"], reply["model"]) == ("list", "/models/prm")
    assert set(reply["data"][0]) == {"index", "label", "probs", "num_classes"}
    assert reply["data"][0]["probs"] == pytest.approx([1 - expected, expected])
    assert reply["data"][0]["label"] == f"LABEL_{int(expected >= 0.5)}"
    assert reply["usage"]["prompt_tokens"] == reply["usage"]["total_tokens"] > 0


def test_classify_takes_several_texts_and_a_form(url: str) -> None:
    codes = ["x = 1\n", CODE]
    body = {"model": None, "input": [CHAT + code for code in codes]}
    data = httpx.post(f"{url}/classify?aggregate=min", json=body).json()["data"]
    prompt = CHAT.removesuffix("<|im_start|>assistant\n")
    expected = [score(url, prompt, code)["aggregate"]["min"] for code in codes]
    assert [row["index"] for row in data] == [0, 1]
    assert [row["probs"][-1] for row in data] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("task", [None, "token_classify"])
def test_pooling_has_a_row_a_code_step_and_says_where_it_is(task: str | None, url: str) -> None:
    text = f"{CHAT}Sure:\n```python\n{CODE}```<|im_end|>\n"
    reply = httpx.post(f"{url}/pooling", json={"model": "prm", "input": text, "task": task}).json()
    expected = score(url, CHAT.removesuffix("<|im_start|>assistant\n"))["steps"]
    scores = [step["score"] for step in expected if step["score"] is not None]
    assert set(reply) == {"id", "object", "created", "model", "data", "usage"}
    [item] = reply["data"]
    assert (item["index"], item["object"]) == (0, "pooling")
    assert [row[1] for row in item["data"]] == pytest.approx(scores)
    assert all(sum(row) == pytest.approx(1) for row in item["data"])
    lines = [text[step["start"] : step["end"]] for step in item["steps"]]
    assert lines == ["def f(x):", "    y = x + 1", "    return y"]


def test_pooling_for_classify_has_one_row_a_program(url: str) -> None:
    body = {"model": "prm", "input": [f"{CHAT}{CODE}"], "task": "classify"}
    pooled = httpx.post(f"{url}/pooling", json=body).json()["data"][0]["data"]
    assert pooled == httpx.post(f"{url}/classify", json=body).json()["data"][0]["probs"]


def test_the_flat_form_of_trls_prms_is_scored_line_by_line(url: str) -> None:
    flat = f"{PROMPT}\n{CODE}"
    [item] = httpx.post(f"{url}/pooling?prompt_lines=1", json={"input": flat}).json()["data"]
    expected = [step["score"] for step in score(url)["steps"] if step["score"] is not None]
    assert [row[1] for row in item["data"]] == pytest.approx(expected)
    assert flat[item["steps"][0]["start"] : item["steps"][0]["end"]] == "def f(x):"


@pytest.mark.parametrize("path", ["classify", "pooling"])
def test_a_chat_as_messages_is_scored_as_its_texts(path: str, url: str) -> None:
    messages = [{"role": "user", "content": PROMPT}, {"role": "assistant", "content": f"```python\n{CODE}```"}]
    reply = httpx.post(f"{url}/{path}", json={"model": "prm", "messages": messages, "task": "classify"}).json()["data"][
        0
    ]
    row = reply["probs"] if path == "classify" else reply["data"]
    assert row[-1] == pytest.approx(score(url)["aggregate"]["mean"])


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"input": f"{PROMPT}\n{CODE}"}, 400, "prompt_not_marked"),
        ({"input": f"{CHAT}{CODE}{CHAT}x = 1"}, 400, "prompt_ambiguous"),
        ({"input": f"{CHAT}One.<extra_0>Two.<extra_0>"}, 400, "foreign_steps"),
        ({"input": [1, 2, 3]}, 400, "token_ids"),
        ({"input": [[1, 2], [3]]}, 400, "token_ids"),
        ({"messages": [{"role": "user", "content": PROMPT}]}, 400, "no_answer"),
        ({"messages": [{"role": "assistant", "content": [{"type": "image_url"}]}]}, 400, "not_text"),
        ({"input": CHAT, "encoding_format": "base64"}, 400, "unsupported_encoding"),
        ({"input": CHAT, "dimensions": 8}, 400, "unsupported_field"),
        ({"input": CHAT, "truncate_prompt_tokens": 8}, 400, "unsupported_field"),
        ({"input": CHAT, "chat_template": "{{ x }}"}, 400, "unsupported_field"),
        ({"input": CHAT, "model": "nope"}, 404, "unknown_model"),
        ({}, 422, "malformed_request"),
        ({"input": CHAT, "messages": []}, 422, "malformed_request"),
    ],
)
@pytest.mark.parametrize("path", ["classify", "pooling"])
def test_what_vllms_forms_cannot_say_is_refused(
    path: str, body: dict[str, Any], status: int, code: str, url: str
) -> None:
    reply = httpx.post(f"{url}/{path}", json=body)
    assert (reply.status_code, reply.json()["error"]["code"]) == (status, code)


@pytest.mark.parametrize("task", ["embed", "token_embed", "score", "plugin"])
def test_other_tasks_of_pooling_are_refused(task: str, url: str) -> None:
    reply = httpx.post(f"{url}/pooling", json={"input": f"{CHAT}{CODE}", "task": task})
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "unsupported_task")


def test_markers_and_ends_of_a_template_of_ones_own_can_be_set(scorer: Callable[..., str]) -> None:
    url = scorer(answer_markers=("ANSWER:\n",), stop_texts=("[stop]",))
    reply = httpx.post(f"{url}/classify", json={"input": f"{PROMPT}ANSWER:\n{CODE}[stop]"}).json()
    assert reply["data"][0]["probs"][-1] == pytest.approx(score(url)["aggregate"]["mean"])
