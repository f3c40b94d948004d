"""Services killed or ended under load, and clocks that jump: no answer is lost, none comes twice, none is wrong.

The supervisor of `linewise up` starts what has died again; the clients are our own, with their retries.
"""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.client import ExecutorClient, RetryPolicy, ScorerClient
from services.contracts import ExecuteRequest, ScoreRequest, Verdict

pytestmark = pytest.mark.slow

PATIENT = RetryPolicy(attempts=10_000, first_s=0.1, longest_s=0.5)
CALLS, AT_ONCE = 200, 8


def process_of(service: str, house: Any) -> int:
    """The process of a service, told by its port."""
    port = house.urls[service].rpartition(":")[2].encode()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"serve" in words and port in words and b"services.cli" in words and not is_tether(words):
            return int(path.parent.name)
    raise AssertionError(f"there is no {service}")


def is_tether(words: list[bytes]) -> bool:
    return any(word.endswith(b"tether.py") for word in words)


async def asked(ask: Callable[[int], Any], halfway: Callable[[], None]) -> dict[int, list[Any]]:
    """The answers to CALLS questions, each by its number; `halfway` happens while they are under way."""
    answers: dict[int, list[Any]] = {}
    waiting = list(range(CALLS))

    async def caller() -> None:
        while waiting:
            number = waiting.pop()
            answers.setdefault(number, []).append(await ask(number))
            if len(answers) == CALLS // 4:
                halfway()

    await asyncio.gather(*(caller() for _ in range(AT_ONCE)))
    return answers


async def test_an_executor_killed_under_load_loses_no_answer_and_doubles_none(house: Any, wait_until: Any) -> None:
    killed: list[int] = []

    def kill() -> None:
        killed.append(process_of("executor", house))
        os.kill(killed[0], signal.SIGKILL)

    async with ExecutorClient(house.urls["executor"], timeout_s=400, retry=PATIENT) as client:

        async def ask(number: int) -> Any:
            right = number % 3 != 0
            code = f"def f():\n    return {number if right else -1}\n"
            return await client.execute(ExecuteRequest(code=code, tests=[f"assert f() == {number}"]))

        answers = await asked(ask, kill)
    assert killed
    assert process_of("executor", house) != killed[0]
    lost = CALLS - len(answers)
    doubled = sum(len(of_one) - 1 for of_one in answers.values())
    wrong = [
        number
        for number, [answer] in answers.items()
        if answer.verdict != (Verdict.ACCEPTED if number % 3 else Verdict.WRONG_ANSWER)
    ]
    assert (lost, doubled, wrong) == (0, 0, [])


async def test_a_scorer_killed_under_load_loses_no_answer_and_doubles_none(house: Any) -> None:
    killed: list[int] = []

    def kill() -> None:
        killed.append(process_of("scorer", house))
        os.kill(killed[0], signal.SIGKILL)

    async with ScorerClient(house.urls["scorer"], timeout_s=400, retry=PATIENT) as client:

        async def ask(number: int) -> Any:
            return await client.score(ScoreRequest(prompt=f"Task {number}.", code=f"x = {number}\n"))

        expected = {number: (await ask(number)).aggregate.mean for number in range(0, CALLS, 20)}
        answers = await asked(ask, kill)
    assert killed
    lost = CALLS - len(answers)
    doubled = sum(len(of_one) - 1 for of_one in answers.values())
    means = {number: answer.aggregate.mean for number, [answer] in answers.items()}
    wrong = [number for number, mean in expected.items() if means[number] != pytest.approx(mean, abs=1e-4)]
    assert (lost, doubled, wrong) == (0, 0, [])


async def test_a_scorer_ended_under_load_answers_all_that_it_accepted(house: Any, wait_until: Any) -> None:
    """Plain connections without retries: what its log says was scored has reached its caller."""
    statuses: Counter[int] = Counter()
    over = asyncio.Event()
    ended = process_of("scorer", house)

    async def ask(number: int) -> None:
        body = {"prompt": f"End {number}.", "code": "x = 1\n"}
        while not over.is_set():
            headers = {"X-Request-ID": f"end-{number}-{statuses.total()}", "Connection": "close"}
            try:
                async with httpx.AsyncClient(base_url=house.urls["scorer"], trust_env=False, timeout=60) as client:
                    statuses[(await client.post("/score", json=body, headers=headers)).status_code] += 1
            except httpx.TransportError:
                await asyncio.sleep(0.05)

    asking = [asyncio.create_task(ask(number)) for number in range(AT_ONCE)]
    await asyncio.to_thread(wait_until, lambda: statuses[200] >= 20)
    os.kill(ended, signal.SIGTERM)
    await asyncio.to_thread(wait_until, lambda: not Path(f"/proc/{ended}").exists())
    over.set()
    await asyncio.gather(*asking)
    lines = [line for line in house.lines() if str(line.get("request_id")).startswith("end-")]
    told = Counter(line["status"] for line in lines if line["message"] == "request")
    lost = {status: told[status] - statuses[status] for status in told}
    assert set(lost.values()) == {0}, lost
    assert set(told) <= {200, 503}
    wait_until(lambda: answers(house.urls["scorer"]))


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture
def jump(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """From the first call on this process's wall clock jumps a day at every look; a call says how many there were."""
    true_time, day_s, looks = time.time, 86_400.0, 0

    def jumping() -> float:
        nonlocal looks
        looks += 1
        return true_time() + (looks % 3 - 1) * day_s

    def begin() -> int:
        monkeypatch.setattr(time, "time", jumping)
        return looks

    return begin


async def test_a_clock_that_jumps_a_day_moves_no_deadline(serve: Callable[[Any], str], jump: Callable[[], int]) -> None:
    """The service runs in this process."""
    from services.executor.app import create_app
    from services.executor.settings import ExecutorSettings

    jump()
    async with ExecutorClient(serve(create_app(ExecutorSettings(workers=1))), timeout_s=120) as client:
        quick = {"tests": ["assert x >= 0"], "limits": {"wall_s": 60}}
        replies = [
            await client.execute(ExecuteRequest.model_validate(quick | {"code": f"x = {number}"}))
            for number in range(20)
        ]
        endless = ExecuteRequest.model_validate(
            {"code": "while True: pass", "tests": ["assert x"], "limits": {"wall_s": 0.3}}
        )
        late = await client.execute(endless)
    assert jump() > 0
    assert [reply.verdict for reply in replies] == [Verdict.ACCEPTED] * 20
    assert late.verdict is Verdict.TIME_LIMIT_EXCEEDED


async def test_a_clock_that_jumps_a_day_changes_no_score(
    serve: Callable[[Any], str], checkpoint: Path, jump: Callable[[], int]
) -> None:
    from services.scorer.app import create_app
    from services.scorer.settings import ScorerSettings

    settings = ScorerSettings(models=[str(checkpoint)], torch_threads=1, cache_entries=0, max_wait_ms=20)
    requests = [ScoreRequest(prompt=f"Add {number}.", code="x = 1\ny = x\n") for number in range(20)]
    async with ScorerClient(serve(create_app(settings)), timeout_s=60) as client:
        before = [await client.score(request) for request in requests]
        jump()
        after = [await client.score(request) for request in requests]
    assert jump() > 0
    assert after == before
