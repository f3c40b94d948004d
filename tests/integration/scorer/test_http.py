"""The scorer over a real socket, with real checkpoints."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from services.client import ScorerClient
from services.contracts import ScoreReply, ScoreRequest
from services.contracts.prm_checkpoint import GOLDEN_FILE, GoldenProgram, GoldenScores
from services.kit.errors import StartupError
from services.scorer.app import create_app
from services.scorer.settings import ScorerSettings

Serve = Callable[[FastAPI], str]
THREE_LINES = {"prompt": "Add one.", "code": "def f(x):\n    y = x + 1\n    return y\n"}


@pytest.fixture
def scorer(serve: Serve, checkpoint: Callable[[str], Path]) -> Callable[..., str]:
    """Serve checkpoints by kind, with settings."""

    def start(*kinds: str, **settings: Any) -> str:
        models = [f"{kind}={checkpoint(kind)}" for kind in kinds or ("roberta",)]
        return serve(create_app(ScorerSettings(models=models, torch_threads=1, **settings)))

    return start


def test_score_answers_as_the_contract_says(scorer: Callable[..., str]) -> None:
    reply = httpx.post(f"{scorer()}/score", json={**THREE_LINES, "segment": "line", "model": None})
    assert reply.status_code == 200
    body = reply.json()
    assert {key: body[key] for key in ("model", "truncated")} == {"model": "roberta", "truncated": False}
    assert [{k: v for k, v in step.items() if k != "score"} for step in body["steps"]] == [
        {"index": 0, "start": 0, "end": 9, "first_line": 1, "last_line": 1, "kind": "code"},
        {"index": 1, "start": 10, "end": 23, "first_line": 2, "last_line": 2, "kind": "code"},
        {"index": 2, "start": 24, "end": 36, "first_line": 3, "last_line": 3, "kind": "code"},
    ]
    scores = [step["score"] for step in body["steps"]]
    product = scores[0] * scores[1] * scores[2]
    expected = {"mean": fmean(scores), "min": min(scores), "product": product, "last": scores[2]}
    softmin = body["aggregate"].pop("softmin")
    assert body["aggregate"] == pytest.approx(expected)
    assert min(scores) < softmin < fmean(scores)
    assert body["tokens"] > 3


def test_comments_and_blanks_get_null_and_stay_out_of_the_aggregates(scorer: Callable[..., str]) -> None:
    body = httpx.post(f"{scorer()}/score", json={"prompt": "p", "code": "x = 1\n\n# done"}).json()
    assert [step["kind"] for step in body["steps"]] == ["code", "blank", "comment"]
    first = body["steps"][0]["score"]
    assert [step["score"] for step in body["steps"]] == [first, None, None]
    assert body["aggregate"] == dict.fromkeys(("mean", "min", "product", "last", "softmin"), first)


def test_a_consumer_of_one_number_names_the_form_and_still_gets_every_score(scorer: Callable[..., str]) -> None:
    url = scorer()
    plain = httpx.post(f"{url}/score", json=THREE_LINES).json()
    asked = httpx.post(f"{url}/score", json={**THREE_LINES, "aggregate": "softmin", "softmin_temperature": 0.5}).json()
    assert (plain["scalar"], asked["steps"]) == (None, plain["steps"])
    assert asked["scalar"] == asked["aggregate"]["softmin"] != plain["aggregate"]["softmin"]


@pytest.mark.parametrize("code", ["", "\n\n", "# nothing"])
def test_a_program_without_code_has_null_aggregates(code: str, scorer: Callable[..., str]) -> None:
    reply = httpx.post(f"{scorer()}/score", json={"prompt": "p", "code": code})
    assert reply.status_code == 200
    assert set(reply.json()["aggregate"].values()) == {None}
    assert all(step["score"] is None for step in reply.json()["steps"])


async def test_a_batch_answers_in_order_what_single_calls_answer(
    scorer: Callable[..., str], prompt: str, programs: dict[str, str]
) -> None:
    requests = [
        ScoreRequest(prompt=prompt, code=code, model=m) for code in programs.values() for m in ("gpt2", "llama")
    ]
    async with ScorerClient(scorer("gpt2", "llama")) as client:
        single = [await client.score(request) for request in requests]
        batch = await client.score_batch(requests)
    for one, other in zip(single, batch, strict=True):
        assert_same_scores(one, other)
    assert [reply.model for reply in batch] == [request.model for request in requests]


async def test_64_concurrent_calls_are_answered_right_and_share_passes(
    scorer: Callable[..., str], prompt: str, programs: dict[str, str]
) -> None:
    codes = list(programs.values())
    requests = [ScoreRequest(prompt=f"{prompt} {n}", code=codes[n % len(codes)]) for n in range(64)]
    url = scorer(max_wait_ms=300, cache_entries=0)
    async with ScorerClient(url) as client:
        expected = await client.score_batch(requests)
        passes_before = passes(url)
        concurrent = await asyncio.gather(*map(client.score, requests))
    for one, other in zip(expected, concurrent, strict=True):
        assert_same_scores(one, other)
    assert 1 <= passes(url) - passes_before < 20
    assert padding_share(url) <= 0.1


def assert_same_scores(one: ScoreReply, other: ScoreReply) -> None:
    assert (one.model, one.tokens) == (other.model, other.tokens)
    for left, right in zip(one.steps, other.steps, strict=True):
        assert (left.start, left.end, left.kind) == (right.start, right.end, right.kind)
        assert left.score == pytest.approx(right.score, abs=1e-4)


def exported(url: str) -> dict[str, float]:
    lines = httpx.get(f"{url}/metrics").text.splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}


def passes(url: str) -> float:
    return sum(value for name, value in exported(url).items() if name.startswith("linewise_scorer_passes_total"))


def padding_share(url: str) -> float:
    tokens = {name: value for name, value in exported(url).items() if name.startswith("linewise_scorer_tokens_total")}
    return sum(value for name, value in tokens.items() if 'kind="padding"' in name) / sum(tokens.values())


def test_models_tells_what_is_served(scorer: Callable[..., str]) -> None:
    models = httpx.get(f"{scorer('gpt2', 'roberta')}/models").json()["models"]
    assert [(m["name"], m["architecture"], m["max_tokens"], m["default"]) for m in models] == [
        ("gpt2", "GPT2ForTokenClassification", 512, True),
        ("roberta", "RobertaForTokenClassification", 512, False),
    ]
    assert all(m["parameters"] > 0 and m["loaded_at"].endswith("+00:00") for m in models)


def test_an_unknown_model_is_404(scorer: Callable[..., str]) -> None:
    url = scorer()
    score = httpx.post(f"{url}/score", json={**THREE_LINES, "model": "nope"})
    reload = httpx.post(f"{url}/models/nope/reload")
    assert (score.status_code, reload.status_code) == (404, 404)
    assert score.json()["error"]["code"] == reload.json()["error"]["code"] == "unknown_model"


def test_too_long_is_413_and_truncation_drops_only_the_prompts_beginning(scorer: Callable[..., str]) -> None:
    url = scorer(max_input_tokens=64)
    too_long = {**THREE_LINES, "prompt": "word " * 200}
    refused = httpx.post(f"{url}/score", json=too_long)
    assert (refused.status_code, refused.json()["error"]["code"]) == (413, "too_long")
    assert refused.json()["error"]["details"]["max_tokens"] == 64 < refused.json()["error"]["details"]["tokens"]

    cut = httpx.post(f"{url}/score", json={**too_long, "truncate": "prompt"}).json()
    assert (cut["truncated"], cut["tokens"], len(cut["steps"])) == (True, 64, 3)
    assert all(step["score"] is not None for step in cut["steps"])

    long_code = httpx.post(f"{url}/score", json={"prompt": "p", "code": "x = 1\n" * 100, "truncate": "prompt"})
    assert (long_code.status_code, long_code.json()["error"]["code"]) == (413, "too_long")


def test_a_batch_names_the_item_that_is_too_long(scorer: Callable[..., str]) -> None:
    items = [THREE_LINES, {**THREE_LINES, "prompt": "word " * 200}]
    reply = httpx.post(f"{scorer(max_input_tokens=64)}/score/batch", json={"items": items})
    assert (reply.status_code, reply.json()["error"]["details"]["item"]) == (413, 1)


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/score", {"prompt": "p"}, "code"),
        ("/score", {**THREE_LINES, "segment": "word"}, "segment"),
        ("/score", {**THREE_LINES, "truncate": "code"}, "truncate"),
        ("/score", {**THREE_LINES, "aggregate": "median"}, "aggregate"),
        ("/score", {**THREE_LINES, "softmin_temperature": 0}, "softmin_temperature"),
        ("/score/batch", {"items": [THREE_LINES, {**THREE_LINES, "code": 3}]}, "items[1].code"),
    ],
)
def test_a_malformed_field_is_422_with_its_path(
    path: str, body: dict[str, Any], field: str, scorer: Callable[..., str]
) -> None:
    reply = httpx.post(f"{scorer()}{path}", json=body)
    assert (reply.status_code, reply.json()["error"]["details"][0]["path"]) == (422, field)


@pytest.mark.parametrize("field", ["prompt", "code"])
def test_text_that_is_not_unicode_is_400(field: str, scorer: Callable[..., str]) -> None:
    body = json.dumps({**THREE_LINES, field: "\ud800"})
    reply = httpx.post(f"{scorer()}/score", content=body, headers={"Content-Type": "application/json"})
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "not_unicode")


async def test_a_full_queue_is_429_with_retry_after(scorer: Callable[..., str]) -> None:
    url = scorer(max_queue=1, max_wait_ms=500)
    async with httpx.AsyncClient(base_url=url) as client:
        replies = await asyncio.gather(*(client.post("/score", json=THREE_LINES) for _ in range(4)))
    assert sorted(reply.status_code for reply in replies) == [200, 429, 429, 429]
    refused = next(reply for reply in replies if reply.status_code == 429)
    assert refused.headers["Retry-After"] == "1"
    assert refused.json()["error"]["code"] == "overloaded"


def test_a_batch_larger_than_the_queue_is_413(scorer: Callable[..., str]) -> None:
    reply = httpx.post(f"{scorer(max_queue=2)}/score/batch", json={"items": [THREE_LINES] * 3})
    assert (reply.status_code, reply.json()["error"]["code"]) == (413, "batch_too_large")


def test_without_a_model_it_says_how_to_get_one(serve: Serve) -> None:
    url = serve(create_app(ScorerSettings()))
    ready, score = httpx.get(f"{url}/readyz"), httpx.post(f"{url}/score", json=THREE_LINES)
    assert (ready.status_code, score.status_code) == (503, 503)
    assert "linewise serve scorer --model DIR" in ready.json()["reason"]
    assert "make demo" in score.json()["error"]["message"]
    assert httpx.get(f"{url}/healthz").status_code == 200
    assert httpx.get(f"{url}/models").json() == {"models": []}


def test_with_a_model_it_is_ready(scorer: Callable[..., str]) -> None:
    reply = httpx.get(f"{scorer()}/readyz")
    assert (reply.status_code, reply.json()["details"]["models"]) == (200, ["roberta"])


@pytest.mark.parametrize(("kind", "reason"), [("missing", "no checkpoint folder"), ("bidirectional", "not causal")])
def test_a_checkpoint_that_cannot_be_served_keeps_it_from_starting(
    kind: str, reason: str, tmp_path: Path, checkpoint: Callable[[str], Path]
) -> None:
    folder = tmp_path / "nowhere" if kind == "missing" else checkpoint(kind)
    with pytest.raises(StartupError, match=reason):
        create_app(ScorerSettings(models=[str(folder)]))


async def test_a_growing_program_scores_the_same_with_and_without_a_cache(
    scorer: Callable[..., str], prompt: str, programs: dict[str, str]
) -> None:
    url, without = scorer("roberta", "llama"), scorer("roberta", "llama", cache_entries=0)
    async with ScorerClient(url) as client, ScorerClient(without) as plain:
        for code in programs.values():
            lines = code.splitlines(keepends=True)
            for model in ("roberta", "llama"):
                for count in (*range(1, len(lines) + 1), *range(1, len(lines) + 1)):
                    request = ScoreRequest(prompt=prompt, code="".join(lines[:count]), model=model)
                    assert_same_scores(await client.score(request), await plain.score(request))
    shown = exported(url)
    for model in ("roberta", "llama"):
        counted = {source: shown[_steps_total(model, source)] for source in ("cached", "scored")}
        assert counted["cached"] > counted["scored"] == shown[f'linewise_scorer_cache_entries{{model="{model}"}}']
    assert exported(without)[_steps_total("llama", "cached")] == 0


def _steps_total(model: str, source: str) -> str:
    return f'linewise_scorer_steps_total{{model="{model}",source="{source}"}}'


async def test_equal_calls_at_once_are_scored_once(scorer: Callable[..., str]) -> None:
    url = scorer(max_wait_ms=300, cache_entries=0)
    async with httpx.AsyncClient(base_url=url) as client:
        replies = await asyncio.gather(*(client.post("/score", json=THREE_LINES) for _ in range(32)))
    assert {reply.text for reply in replies} == {replies[0].text}
    assert replies[0].status_code == 200
    shown = exported(url)
    sources = {
        s: shown[f'linewise_scorer_programs_total{{model="roberta",source="{s}"}}'] for s in ("scored", "joined")
    }
    assert sum(sources.values()) == 32
    assert sources["joined"] > sources["scored"]
    assert shown['linewise_scorer_batch_programs_sum{model="roberta"}'] == sources["scored"]


async def test_reloads_under_load_lose_no_request_and_really_swap_the_weights(
    serve: Serve, tmp_path: Path, save_checkpoint: Callable[..., Path]
) -> None:
    """Eight clients without retries ask all the while; every reply is one that a checkpoint gives."""
    folder = save_checkpoint(tmp_path / "prm", seed=0)
    url = serve(create_app(ScorerSettings(models=[str(folder)], torch_threads=1, cache_entries=0)))
    seeds = {seed: save_checkpoint(tmp_path / str(seed), seed=seed) for seed in (0, 1, 2)}
    models = [f"{seed}={each}" for seed, each in seeds.items()]
    reference = serve(create_app(ScorerSettings(models=models, torch_threads=1)))
    expected = {seed: _means(reference, str(seed)) for seed in seeds}
    done = asyncio.Event()
    replies: list[tuple[int, httpx.Response]] = []

    async def ask(client: httpx.AsyncClient, number: int) -> None:
        while not done.is_set():
            replies.append((number, await client.post("/score", json=NUMBERED[number])))
            number = (number + 8) % len(NUMBERED)

    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        asking = [asyncio.create_task(ask(client, first)) for first in range(8)]
        for seed in (1, 2, 0):
            save_checkpoint(folder, seed=seed)
            assert (await client.post("/models/prm/reload")).status_code == 200
            after = (await client.post("/score", json=NUMBERED[0])).json()["aggregate"]["mean"]
            assert after == pytest.approx(expected[seed][0], abs=1e-4)
        done.set()
        await asyncio.gather(*asking)
    lost = [reply.status_code for _, reply in replies if reply.status_code != 200]
    assert (lost, len(replies) > 24) == ([], True)
    for number, reply in replies:
        mean = reply.json()["aggregate"]["mean"]
        assert any(mean == pytest.approx(means[number], abs=1e-4) for means in expected.values())


NUMBERED = [{**THREE_LINES, "prompt": f"Add one. Task {number}."} for number in range(40)]


def _means(url: str, model: str) -> list[float]:
    reply = httpx.post(f"{url}/score/batch", json={"items": [{**item, "model": model} for item in NUMBERED]})
    return [result["aggregate"]["mean"] for result in reply.json()["results"]]


async def test_requests_in_flight_end_on_the_model_that_they_began_with(
    serve: Serve, tmp_path: Path, save_checkpoint: Callable[..., Path]
) -> None:
    folder = save_checkpoint(tmp_path / "prm", seed=0)
    url = serve(create_app(ScorerSettings(models=[str(folder)], torch_threads=1, max_wait_ms=1500, cache_entries=0)))
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        before = (await client.post("/score", json=THREE_LINES)).json()["aggregate"]["mean"]
        save_checkpoint(folder, seed=1)
        held = asyncio.create_task(client.post("/score", json=THREE_LINES))
        await asyncio.sleep(0.1)
        await client.post("/models/prm/reload")
        after = (await client.post("/score", json=THREE_LINES)).json()["aggregate"]["mean"]
    assert (await held).json()["aggregate"]["mean"] == pytest.approx(before, abs=1e-4)
    assert abs(after - before) > 1e-3


def _tear(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:5000])


def _give_wrong_golden_scores(folder: Path) -> None:
    _write_golden(folder, [0.123, 0.456, 0.789])


def _write_golden(folder: Path, scores: list[float]) -> None:
    program = GoldenProgram(**THREE_LINES, scores=scores)
    (folder / GOLDEN_FILE).write_text(GoldenScores(programs=[program]).model_dump_json())


@pytest.mark.parametrize(
    ("damage", "reason"), [(_tear, "can't be read"), (_give_wrong_golden_scores, "off its golden score")]
)
async def test_a_bad_checkpoint_on_reload_is_409_and_the_old_one_serves_on(
    damage: Callable[[Path], None], reason: str, serve: Serve, tmp_path: Path, save_checkpoint: Callable[..., Path]
) -> None:
    folder = save_checkpoint(tmp_path / "prm")
    url = serve(create_app(ScorerSettings(models=[f"mine={folder}"], torch_threads=1, cache_entries=0)))
    async with httpx.AsyncClient(base_url=url) as client:
        before = (await client.post("/score", json=THREE_LINES)).json()
        damage(folder)
        reload = await client.post("/models/mine/reload")
        after = (await client.post("/score", json=THREE_LINES)).json()
    assert (reload.status_code, reload.json()["error"]["code"]) == (409, "bad_checkpoint")
    assert reason in reload.json()["error"]["message"]
    assert "goes on serving" in reload.json()["error"]["message"]
    assert after == before


def test_golden_scores_that_do_not_come_out_keep_it_from_starting(
    tmp_path: Path, save_checkpoint: Callable[..., Path]
) -> None:
    folder = save_checkpoint(tmp_path / "prm")
    _give_wrong_golden_scores(folder)
    with pytest.raises(StartupError, match="off its golden score"):
        create_app(ScorerSettings(models=[str(folder)]))


async def test_a_new_checkpoint_comes_with_its_golden_scores_and_an_old_ones_are_refused_beside_it(
    serve: Serve, tmp_path: Path, save_checkpoint: Callable[..., Path]
) -> None:
    folder = save_checkpoint(tmp_path / "prm", seed=0)
    url = serve(create_app(ScorerSettings(models=[str(folder)], torch_threads=1)))
    async with httpx.AsyncClient(base_url=url) as client:
        assert (await client.get("/models")).json()["models"][0]["golden"] is None
        scored = (await client.post("/score", json=THREE_LINES)).json()
        _write_golden(folder, [step["score"] for step in scored["steps"]])
        assert (await client.post("/models/prm/reload")).json()["golden"] == "ok"
        save_checkpoint(folder, seed=1)
        refused = await client.post("/models/prm/reload")
        assert (refused.status_code, (await client.get("/models")).json()["models"][0]["golden"]) == (409, "ok")


def test_models_tells_the_calibration_of_the_folder_and_null_without(
    serve: Serve, tmp_path: Path, save_checkpoint: Callable[..., Path]
) -> None:
    figures = {"date": "2026-01-31T12:00:00Z", "labels": 812, "accuracy": 0.91, "ece": 0.02}
    told = save_checkpoint(tmp_path / "told", linewise={"temperature": 1.5, "calibration": figures})
    silent = save_checkpoint(tmp_path / "silent")
    url = serve(create_app(ScorerSettings(models=[str(told), str(silent)])))
    models = httpx.get(f"{url}/models").json()["models"]
    assert [(model["temperature"], model["calibration"]) for model in models] == [(1.5, figures), (1.0, None)]


def test_metrics_show_queue_batches_padding_stages_and_scores(scorer: Callable[..., str]) -> None:
    url = scorer(max_wait_ms=100)
    reply = httpx.post(f"{url}/score/batch", json={"items": [THREE_LINES, {**THREE_LINES, "prompt": "Add one!!"}]})
    assert reply.status_code == 200
    shown = exported(url)
    tokens = [result["tokens"] for result in reply.json()["results"]]
    assert shown['linewise_scorer_tokens_total{kind="real",model="roberta"}'] == sum(tokens)
    assert shown['linewise_scorer_tokens_total{kind="padding",model="roberta"}'] == max(tokens) - min(tokens)
    assert shown['linewise_scorer_scores_count{model="roberta"}'] == 6
    assert shown["linewise_scorer_queue_depth"] == 0
    for stage in ("encode", "queue", "model"):
        assert shown[f'linewise_scorer_stage_seconds_count{{model="roberta",stage="{stage}"}}'] > 0
