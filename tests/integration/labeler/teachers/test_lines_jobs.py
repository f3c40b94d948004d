"""Jobs whose teacher is a policy that writes each line anew: from `POST /jobs` to labels of its own mistakes."""

import pytest

from services.contracts import (
    JobRequest,
    JobStatus,
    LinesTeacher,
    MixTeacher,
    Origin,
    RulesTeacher,
    TeacherShare,
    Verdict,
)

CLAMP = """def clamp(x, low, high):
    # at both ends
    if x < low:
        return low
    return (
        min(x, high)
    )
"""
WRITTEN = {
    2: ["    if x > low:", "    if low > x:", "    if x < low:  ", "    if x < low: pass"],
    3: ["        return max(low, x)", "        return high", "        return ] low", "        return high"],
    5: ["        min(x, low)", "        x", "        x\n    ) or None", ""],
}
"""What the policy writes behind so many lines of code and comment, by the seed; elsewhere the reference's own line."""


def write(body):
    prefix = body["prompt"].rpartition('"""\n')[2]
    behind = prefix.count("\n")
    same = [CLAMP.splitlines()[behind]] * 4
    return WRITTEN.get(behind, same)[body["seed"] % 4] + "\n    # and more"


@pytest.fixture
def clamp(problems):
    [found] = [problem for problem in problems if problem.id == "clamp"]
    return found.model_copy(update={"solution": CLAMP})


def teacher(url, **fields):
    return LinesTeacher(base_url=url, model="policy", **fields)


async def finished(client, request):
    job = await client.create_job(request)
    last = [event async for event in client.events(job.id)][-1]
    return last, [record async for record in client.labels(job.id)]


def at(record, step):
    return record.code.splitlines()[step], [each.label for each in record.steps]


@pytest.mark.slow
async def test_the_tests_tell_a_policys_right_lines_from_its_wrong_ones(
    client, settings, start_worker, clamp, chat_model, model_url
):
    chat_model.answer = write
    start_worker(settings)
    job, records = await finished(
        client, JobRequest(name="lines", problems=[clamp], teacher=teacher(model_url), augmented_tests=0)
    )
    assert job.status is JobStatus.SUCCEEDED
    assert {record.teacher for record in records} == {"lines:policy"}
    written = [record for record in records if record.origin is Origin.ROLLOUT]
    assert {record.operator for record in written} == {"line"}
    found = {at(record, record.changed_step)[0]: record for record in written}
    assert len(found) == len(written)

    wrong = found["    if x > low:"]
    assert (wrong.verdict, wrong.changed_step) == (Verdict.WRONG_ANSWER, 2)
    assert at(wrong, 2)[1] == [1, None, 0, None, None, None, None]
    right = found["        return max(low, x)"]
    assert right.verdict is Verdict.ACCEPTED
    assert at(right, 3)[1] == [1, None, 1, 1, 1, 1, 1]
    assert at(found["        return high"], 3)[1] == [1, None, 1, 0, None, None, None]
    assert at(found["        x"], 5)[1] == [1, None, 1, 1, 1, 0, None]

    texts = [record.code for record in written]
    assert not any("# and more" in text or "]" in text for text in texts)
    assert "    if low > x:" in found, "other words for the same are other bytecode"
    assert "    if x < low:" not in found, "the reference's own line teaches nothing"
    assert "    if x < low: pass" not in found, "it has no block of its own"


@pytest.mark.slow
async def test_what_is_asked_is_the_line_and_what_is_no_line_is_malformed(
    client, settings, start_worker, clamp, chat_model, model_url
):
    chat_model.answer = write
    start_worker(settings)
    spec = teacher(model_url, samples=4, temperature=0.9, max_tokens=20)
    job, _ = await finished(client, JobRequest(name="asked", problems=[clamp], teacher=spec, augmented_tests=0))
    bodies = chat_model.bodies
    assert job.teaching.questions == job.teaching.requests == len(bodies) == 6 * 4
    assert job.teaching.malformed == 1
    assert {(tuple(body["stop"]), body["max_tokens"], body["temperature"]) for body in bodies} == {(("\n",), 20, 0.9)}
    prefixes = {body["prompt"].rpartition('"""\n')[2] for body in bodies}
    lines = CLAMP.splitlines(keepends=True)
    assert prefixes == {"".join(lines[:number]) for number in (0, 2, 3, 4, 5, 6)}


@pytest.mark.slow
async def test_a_line_that_is_cut_off_is_no_line(client, settings, start_worker, clamp, transformers_url, tiny_model):
    """`transformers serve` with a model of random weights, which hardly ever comes to the end of a line."""
    start_worker(settings.model_copy(update={"teacher_timeout_s": 60.0}))
    spec = LinesTeacher(base_url=transformers_url, model=str(tiny_model), samples=1, max_tokens=2, concurrency=2)
    job, records = await finished(client, JobRequest(name="noise", problems=[clamp], teacher=spec))
    assert (job.status, job.teaching.unanswered) == (JobStatus.SUCCEEDED, 0)
    assert job.teaching.malformed >= 3
    [reference] = [record for record in records if record.origin is Origin.REFERENCE]
    assert [step.label for step in reference.steps] == [1, None, 1, 1, 1, 1, 1]


@pytest.mark.slow
async def test_in_a_mix_it_writes_its_own_lines_alone(client, settings, start_worker, clamp, chat_model, model_url):
    chat_model.answer = write
    start_worker(settings)
    shares = [TeacherShare(teacher=RulesTeacher(), share=1), TeacherShare(teacher=teacher(model_url), share=1)]
    request = JobRequest(name="mixed", problems=[clamp], teacher=MixTeacher(teachers=shares), augmented_tests=0, seed=3)
    job, records = await finished(client, request)
    asked = {body["prompt"].rpartition('"""\n')[2].count("\n") for body in chat_model.bodies}
    assert job.teaching.questions == 4 * len(asked)
    assert 0 < len(asked) < 6
    written = {record.changed_step for record in records if record.teacher == "lines:policy"}
    assert written <= asked
