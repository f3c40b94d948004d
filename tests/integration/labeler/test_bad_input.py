"""What a client may send that is wrong, huge or hostile: each has a clear answer, and spoils nothing beside it."""

import json

import httpx
import pytest

from services.client import LabelerClient
from services.contracts import JobRequest, JobStatus, Problem
from services.labeler.app import create_app

ACCEPT = {"Accept": "text/html"}
GOOD = "def f(x):\n    return x + 1\n"
FAILS = "the reference solution fails its own tests: "
BAD = {
    "hangs when called": ("def f(x):\n    while True:\n        pass\n", FAILS + "time_limit_exceeded at test 1"),
    "hangs when read": ("while True:\n    pass\n", FAILS + "time_limit_exceeded at test 1"),
    "prints a gigabyte": (
        "for _ in range(2**10):\n    print('x' * 2**20)\n" + GOOD,
        FAILS + "output_limit_exceeded at test 1",
    ),
    "takes all memory": (
        "def f(x):\n    return len(bytearray(2**36)) and x + 1\n",
        FAILS + "memory_limit_exceeded at test 1",
    ),
    "defines nothing": ("x = 1\n", FAILS + "runtime_error at test 1, NameError: name 'f' is not defined"),
    "is empty": ("", FAILS + "runtime_error at test 1, NameError: name 'f' is not defined"),
    "ends the interpreter": ("import os\nos._exit(0)\n", FAILS + "runtime_error at test 1"),
    "is no Python": ("def f(x:\n", "the solution does not compile"),
    "is nested too deeply": ("x = " + "(" * 5000 + ")" * 5000 + "\n", "the solution does not compile"),
}


@pytest.fixture
async def client(settings, serve):
    async with LabelerClient(serve(create_app(settings))) as client:
        yield client


@pytest.fixture
def send(client):
    """`POST /jobs` with any body; the answer's status and error."""

    def sent(body):
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = httpx.post(
            f"{client.base_url}/jobs", content=content, headers={"Content-Type": "application/json"}, trust_env=False
        )
        return answer.status_code, answer.json().get("error")

    return sent


def problem(name="p", solution=GOOD, tests=("assert f(1) == 2",), prompt="Add one."):
    return {"id": name, "prompt": prompt, "solution": solution, "tests": list(tests)}


async def get(client, path):
    async with httpx.AsyncClient(base_url=client.base_url, trust_env=False) as http:
        return await http.get(path, headers=ACCEPT)


async def finished(client, job):
    return [event async for event in client.events(job.id)][-1]


@pytest.mark.slow
async def test_each_bad_solution_is_rejected_with_its_own_reason_and_the_good_ones_are_labelled(
    client, settings, start_worker
):
    start_worker(settings)
    bad = [problem(name, solution) for name, (solution, _) in BAD.items()]
    untested = problem("has no tests", tests=())
    problems = [problem("first"), *bad, untested, problem("last")]
    job = await finished(client, await client.create_job(JobRequest(name="bad", problems=problems, augmented_tests=4)))
    assert job.status is JobStatus.SUCCEEDED
    reasons = {one.id: one.reason for one in job.rejected}
    expected = {name: reason for name, (_, reason) in BAD.items()} | {"has no tests": "the problem has no tests"}
    assert set(reasons) == set(expected)
    for name, reason in expected.items():
        assert reasons[name].startswith(reason), name
    labels = [record async for record in client.labels(job.id)]
    assert {record.problem_id for record in labels} == {"first", "last"}
    assert "| prints a gigabyte | the reference solution fails" in await client.card(job.id)


async def test_a_solution_without_a_line_that_passes_has_a_record_without_labels(client, settings, start_worker):
    start_worker(settings)
    empty = problem("empty", solution="", tests=["assert 1 + 1 == 2"])
    job = await finished(client, await client.create_job(JobRequest(name="empty", problems=[empty])))
    assert (job.status, job.rejected) == (JobStatus.SUCCEEDED, [])
    assert (job.labels.positive, job.labels.negative, job.mutants.total) == (0, 0, 0)


async def test_ten_thousand_problems_in_one_request_are_taken(client, settings):
    problems = [Problem.model_validate(problem(f"p{number}")) for number in range(10_000)]
    job = await client.create_job(JobRequest(name="many", problems=problems))
    assert (job.status, job.problems.total, job.problems.done) == (JobStatus.QUEUED, 10_000, 0)
    assert (await client.cancel(job.id)).status is JobStatus.CANCELLED
    assert (await get(client, f"/?job={job.id}")).status_code == 200


async def test_a_prompt_of_a_megabyte_comes_back_whole_in_every_record(client, settings, start_worker):
    start_worker(settings)
    prompt = "Add one. 😀\r\n" * 80_000
    body = JobRequest(name="long", problems=[problem(prompt=prompt)], augmented_tests=0)
    job = await finished(client, await client.create_job(body))
    assert job.status is JobStatus.SUCCEEDED
    labels = [record async for record in client.labels(job.id)]
    assert len(labels) > 3
    assert all(record.prompt == prompt for record in labels)
    assert all(record.prompt == prompt + "\n" for record in [one async for one in client.trl_labels(job.id)])
    page = await get(client, f"/?job={job.id}")
    assert (page.status_code, len(page.content) < 200_000) == (200, True)
    assert "characters more" in page.text


async def test_a_body_beyond_the_limit_is_413_and_says_the_limit(settings, serve):
    async with LabelerClient(serve(create_app(settings.model_copy(update={"max_body_bytes": 100_000})))) as client:
        content = json.dumps({"name": "x", "problems": [problem(prompt="p" * 100_000)]}).encode()
        headers = {"Content-Type": "application/json"}
        async with httpx.AsyncClient(base_url=client.base_url, trust_env=False) as http:
            answer = await http.post("/jobs", content=content, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "body_too_large")
        assert "100000 bytes" in answer.json()["error"]["message"]
        assert (await client.jobs()).jobs == []


async def test_problems_that_cannot_be_told_apart_are_refused_by_name(send):
    status, error = send({"name": "x", "problems": [problem("a"), problem("b"), problem("a"), problem("a")]})
    assert (status, error["code"], error["details"]) == (400, "duplicate_problem_ids", ["a"])


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"problems": []}, "problems"),
        ({"problems": [{**problem(), "id": ""}]}, "problems[0].id"),
        ({"problems": [{**problem(), "prompt": None}]}, "problems[0].prompt"),
        ({"problems": [{**problem(), "tests": [{"kind": "nonsense"}]}]}, "problems[0].tests[0]"),
        ({"name": ""}, "name"),
        ({"teacher": {"kind": "oracle"}}, "teacher"),
        ({"segment": "word"}, "segment"),
        ({"mutants_per_step": -1}, "mutants_per_step"),
        ({"augmented_tests": 10**12}, "augmented_tests"),
        ({"seed": "x"}, "seed"),
        ({"license": ""}, "license"),
        ({"mutants_a_step": 3}, "mutants_a_step"),
    ],
)
async def test_a_malformed_field_is_422_and_named(changes, path, send):
    status, error = send({"name": "x", "problems": [problem()]} | changes)
    assert (status, error["code"]) == (422, "malformed_request")
    assert error["details"][0]["path"].startswith(path)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[]", b"null", b'{"name": "\\ud800", "problems": []}'])
async def test_what_is_no_request_is_422(body, send):
    assert send(body)[0] == 422


@pytest.mark.parametrize("field", ["id", "prompt", "solution"])
async def test_half_a_surrogate_pair_and_nul_are_refused(field, send, client):
    status, _ = send({"name": "x", "problems": [problem() | {field: "a\ud800b"}]})
    assert status == (422 if field == "id" else 400)
    status, error = send({"name": "x", "problems": [problem() | {field: "a\0b"}]})
    assert (status, error["code"]) == (400, "nul_character")
    assert (await client.jobs()).jobs == []


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("jobs?limit=0", 422),
        ("jobs?limit=1001", 422),
        ("jobs?limit=x", 422),
        ("jobs?status=done", 422),
        ("jobs?cursor=%00", 400),
        ("jobs/%00", 404),
        ("jobs/{job}/labels?format=csv", 422),
        ("jobs/{job}/labels?split=dev", 422),
        ("jobs/{job}/mutants?cursor=9999999999999999999-1", 400),
        ("jobs/{job}/mutants?cursor=1", 400),
        ("jobs/{job}/nothing", 404),
        ("jobs/nothing/card", 404),
    ],
)
def test_bad_queries_and_unknown_places_have_their_status_on_either_database(
    path, status, settings, database_url, serve
):
    url = serve(create_app(settings.model_copy(update={"database_url": database_url})))
    body = {"name": "x", "problems": [problem()]}
    job_id = httpx.post(f"{url}/jobs", json=body, trust_env=False).json()["id"]
    assert httpx.get(f"{url}/{path.format(job=job_id)}", trust_env=False).status_code == status


async def test_half_a_surrogate_pair_in_a_test_is_refused_as_well(send):
    status, error = send({"name": "x", "problems": [problem(tests=["assert f('\ud800')"])]})
    assert (status, error["code"]) == (400, "not_unicode")


async def test_a_job_that_made_nothing_yet_exports_empty_files(client):
    job = await client.create_job(JobRequest(name="x", problems=[problem()]))
    assert [record async for record in client.labels(job.id)] == []
    assert b"".join([piece async for piece in client.export(job.id, "trl")]) == b""
    assert b"".join([piece async for piece in client.export(job.id, "parquet")]).startswith(b"PAR1")
