"""Jobs whose teacher is a policy that completes programs, or several teachers: from `POST /jobs` to their labels."""

import json
from collections import Counter

import pytest

from services.contracts import (
    JobRequest,
    JobStatus,
    MixTeacher,
    OpenAITeacher,
    Origin,
    Outcome,
    RolloutTeacher,
    RulesTeacher,
    TeacherShare,
    Verdict,
)

CLAMP = """def clamp(x, low, high):
    if x < low:
        return low
    elif x > high:
        return high
    return x
"""
LOST = """def clamp(x, low, high):
    # a comment
    x = low
    return x
"""
LATE = """def clamp(x, low, high):
    x = max(x, low)
    return x
"""
RIGHT = """def clamp(x, low, high):
    x = max(x, low)
    return min(x, high)
"""


def complete(body):
    """A policy that samples three programs and, from behind any prefix but `x = low`, is right every second time."""
    prefix = body["prompt"].rpartition('"""\n')[2]
    if not prefix:
        return ["\n" + LOST, LATE, RIGHT, "def clamp(:", CLAMP][body["seed"] % 5]
    if body["seed"] % 2:
        return "    return None\n" if prefix.count("\n") == 1 else "return ] None"
    depth = "        " if prefix.endswith(":\n") and "if" in prefix else "    "
    return f"{depth}return sorted((low, x, high))[1]\n" + ("    return x\n" if depth == "        " else "")


async def finished(client, request):
    job = await client.create_job(request)
    last = [event async for event in client.events(job.id)][-1]
    return last, [record async for record in client.labels(job.id)]


@pytest.fixture
def clamp(problems):
    [found] = [problem for problem in problems if problem.id == "clamp"]
    return found.model_copy(update={"solution": CLAMP})


def rollout(url, **fields):
    return RolloutTeacher(base_url=url, model="policy", **{"completions": 4, "samples": 5} | fields)


def marks(record):
    return [(step.label, step.soft_label) for step in record.steps]


@pytest.mark.slow
async def test_the_share_of_completions_that_pass_is_the_soft_label(
    client, settings, start_worker, clamp, chat_model, model_url
):
    chat_model.answer = complete
    start_worker(settings)
    request = JobRequest(name="rolled", problems=[clamp], teacher=rollout(model_url), augmented_tests=0)
    job, records = await finished(client, request)
    assert job.status is JobStatus.SUCCEEDED
    assert {record.teacher for record in records} == {"rollout:policy"}
    [reference] = [record for record in records if record.origin is Origin.REFERENCE]
    assert [label for label, _ in marks(reference)] == [1] * 6
    soft = [share for _, share in marks(reference)]
    assert soft[0] == 0.5
    assert soft[-1] == 1.0

    sampled = {record.code: record for record in records if record.origin is Origin.ROLLOUT}
    assert set(sampled) == {LOST, LATE, RIGHT}
    assert {record.operator for record in sampled.values()} == {"sample"}
    assert [record.changed_step for record in sampled.values()] == [1, 1, 1]
    assert marks(sampled[LOST]) == [(1, 0.5), (None, None), (0, 0.0), (None, 0.0)]
    assert marks(sampled[LATE]) == [(1, 0.5), (1, 0.5), (0, 0.0)]
    assert marks(sampled[RIGHT]) == [(1, 0.5), (1, 0.5), (1, 1.0)]
    assert (sampled[LATE].verdict, sampled[RIGHT].verdict) == (Verdict.WRONG_ANSWER, Verdict.ACCEPTED)
    assert job.mutants.total == 0
    outcomes = Counter([mutant.outcome async for mutant in client.mutants(job.id)])
    assert outcomes == {Outcome.KILLED: 2, Outcome.SURVIVED: 1}

    assert job.teaching.questions == 5 + 4 * (5 + 2 + 2 + 2)
    assert job.teaching.malformed == 2
    assert job.teaching.requests == len(chat_model.bodies) == len({json.dumps(body) for body in chat_model.bodies})


@pytest.mark.slow
async def test_a_threshold_asks_more_of_a_step(client, settings, start_worker, clamp, chat_model, model_url):
    chat_model.answer = complete
    start_worker(settings)
    teacher = rollout(model_url, threshold=0.5)
    _, records = await finished(client, JobRequest(name="strict", problems=[clamp], teacher=teacher, augmented_tests=0))
    late = next(record for record in records if record.code == LATE)
    assert marks(late) == [(0, 0.5), (None, 0.5), (None, 0.0)]
    right = next(record for record in records if record.code == RIGHT)
    assert [label for label, _ in marks(right)] == [1, 1, 1]


@pytest.mark.slow
async def test_completions_that_are_cut_off_are_no_evidence(
    client, settings, start_worker, clamp, transformers_url, tiny_model
):
    """`transformers serve` with a model of random weights, which hardly ever comes to an end."""
    start_worker(settings.model_copy(update={"teacher_timeout_s": 60.0}))
    teacher = RolloutTeacher(
        base_url=transformers_url, model=str(tiny_model), completions=2, samples=2, max_tokens=2, concurrency=2
    )
    job, records = await finished(client, JobRequest(name="noise", problems=[clamp], teacher=teacher))
    assert (job.status, job.teaching.unanswered) == (JobStatus.SUCCEEDED, 0)
    assert job.teaching.requests == job.teaching.questions >= 2 + 2 * 5
    assert job.teaching.malformed >= 2
    [reference] = [record for record in records if record.origin is Origin.REFERENCE]
    assert [label for label, _ in marks(reference)] == [1] * 6
    assert marks(reference)[-1] == (1, 1.0)
    assert all(0 <= share <= 1 for record in records for _, share in marks(record) if share is not None)


@pytest.mark.slow
async def test_a_mix_gives_each_step_to_one_teacher_and_the_rules_part_is_what_rules_alone_do(
    client, settings, start_worker, problems, chat_model, model_url
):
    start_worker(settings)
    model = OpenAITeacher(base_url=model_url, model="scripted")
    shares = [TeacherShare(teacher=RulesTeacher(), share=2), TeacherShare(teacher=model, share=1)]
    mixed, records = await finished(
        client, JobRequest(name="mixed", problems=problems, teacher=MixTeacher(teachers=shares), augmented_tests=4)
    )
    _, by_rules = await finished(client, JobRequest(name="rules", problems=problems, augmented_tests=4))
    assert mixed.status is JobStatus.SUCCEEDED
    assert 0 < mixed.teaching.questions < 2 * 25
    changed = [record for record in records if record.origin is not Origin.REFERENCE]
    assert {record.teacher for record in changed} == {"rules", "openai:scripted"}
    assert {record.teacher for record in records if record.origin is Origin.REFERENCE} == {"mix"}
    assert len({(record.problem_id, record.code) for record in records}) == len(records)

    mine = {record.code for record in changed if record.teacher == "rules"}
    assert mine < {record.code for record in by_rules}
    places = {
        teacher: {
            (record.problem_id, record.changed_step)
            for record in changed
            if record.teacher == teacher
            and record.origin is Origin.MUTATION
            and record.operator != "statement_deletion"
        }
        for teacher in ("rules", "openai:scripted")
    }
    assert not places["rules"] & places["openai:scripted"]

    again, same = await finished(
        client, JobRequest(name="again", problems=problems, teacher=MixTeacher(teachers=shares), augmented_tests=4)
    )
    assert same == records
    assert again.teaching.requests == 0
