"""The labeler's page over a real socket: what it shows is what the API answers, and no text becomes markup."""

import html
import re

import httpx
import pytest
from pydantic import SecretStr

from services.contracts import AssertTest, JobRequest, KilledBy, Origin, Outcome, Problem, StepLabel, Verdict
from services.labeler.app import create_app
from services.labeler.page_service import PROGRAMS_AT_ONCE
from services.labeler.recipe import LabelledProblem, LabelledProgram
from services.labeler.storage import Database, JobRepository, WorkRepository

ACCEPT = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
HOSTILE = [
    "<script>alert(1)</script>",
    "</textarea></pre><img src=x onerror=alert(1)>",
    "\"'><b onclick=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "\u202e\u2066x\x1b[31m",
    "&lt;b&gt;&amp;amp;",
]


def changed(number, outcome, text="x", origin=Origin.MUTATION):
    labelled = outcome is not Outcome.INCOMPETENT and (outcome, origin) != (Outcome.SURVIVED, Origin.MUTATION)
    return LabelledProgram(
        origin=origin,
        operator=f"op_{number % 3}{text}",
        changed_step=1,
        code=f"a = 1\nb = {number}  # {text}\n",
        outcome=outcome,
        verdict=Verdict.WRONG_ANSWER if outcome is Outcome.KILLED else None,
        killed_by=KilledBy.BASE if outcome is Outcome.KILLED else None,
        steps=[StepLabel(start=0, end=5, label=1), StepLabel(start=6, end=20, label=0)] if labelled else None,
    )


@pytest.fixture
def store(settings):
    """Store a job of one finished problem and one rejected one; its id comes back."""

    def stored(text="x", programs=30):
        database = Database(settings.database_url)
        database.open()
        jobs, work = JobRepository(database), WorkRepository(database)
        problems = [Problem(id=f"p{text}{n}", prompt=f"Do {text}.", solution="x", tests=[]) for n in range(2)]
        job_id = jobs.create(JobRequest(name=f"job {text}", problems=problems), "")
        work.start(job_id)
        outcomes = (Outcome.KILLED, Outcome.SURVIVED, Outcome.INCOMPETENT)
        mutants = [changed(number, outcomes[number % 3], text) for number in range(programs)]
        rewrite = changed(99, Outcome.SURVIVED, text, Origin.REFACTORING)
        reference = LabelledProgram(
            Origin.REFERENCE, None, None, "a = 1\nb = 2\n", None, Verdict.ACCEPTED, None, [StepLabel(start=0, end=5)]
        )
        work.finish(job_id, 0, LabelledProblem([reference, *mutants, rewrite], [AssertTest(code="assert True")]))
        work.reject(job_id, 1, f"reason {text}")
        work.finish_job(job_id)
        database.close()
        return job_id

    return stored


@pytest.fixture
def labeler(settings, serve):
    return lambda **changes: serve(create_app(settings.model_copy(update=changes)))


def see(url, **fields):
    return httpx.get(url, params=fields, headers=ACCEPT, trust_env=False)


def cards(page):
    return re.findall(r'<article class="program change".*?</article>', page, re.DOTALL)


def text_of(markup):
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", markup)))


def test_programs_still_get_name_and_version(labeler):
    assert httpx.get(labeler(), trust_env=False).json()["name"] == "labeler"


def test_without_a_job_the_page_says_how_to_get_one(labeler):
    page = see(labeler())
    assert page.status_code == 200
    assert "linewise label mbpp:601-620" in page.text


def test_jobs_are_listed_with_the_figures_of_the_api(labeler, store):
    url = labeler()
    job_ids = [store(text) for text in "abc"]
    page = see(url).text
    assert [page.index(f'href="?job={job_id}"') for job_id in reversed(job_ids)] == sorted(
        page.index(f'href="?job={job_id}"') for job_id in job_ids
    )
    job = httpx.get(f"{url}/jobs/{job_ids[0]}", trust_env=False).json()
    shown = text_of(page)
    assert f"positive steps{job['labels']['positive']}" in shown
    assert f"killed{job['mutants']['killed']}" in shown
    assert shown.count("succeeded") == 3
    assert " data-events=" not in page


def test_older_jobs_are_a_page_away(labeler, store):
    url = labeler()
    job_ids = [store(str(number), programs=3) for number in range(21)]
    page = see(url).text
    assert job_ids[0] not in page
    [older] = re.findall(r'href="(\?[^"]*)" rel="next"', page)
    assert job_ids[0] in httpx.get(f"{url}/{html.unescape(older)}", headers=ACCEPT, trust_env=False).text


def test_an_unfinished_job_has_progress_a_refresh_link_and_its_events(labeler, problems):
    url = labeler()
    body = JobRequest(name="waiting", problems=problems).model_dump(mode="json")
    job_id = httpx.post(f"{url}/jobs", json=body, trust_env=False).json()["id"]
    for page in (see(url).text, see(url, job=job_id).text):
        assert '<progress value="0" max="5"' in page
        assert f'data-events="jobs/{job_id}/events"' in page
        assert ">Refresh</a>" in page


def test_a_job_shows_its_operators_and_its_programs_with_diff_label_and_verdict(labeler, store):
    url = labeler()
    page = see(url, job=store("x")).text
    rows = [text_of(row).strip() for row in re.findall(r'<tr><th scope="row"><a.*?</tr>', page, re.DOTALL)]
    assert rows == [
        "op_0x 10 killed, 0 survived, 0 incompetent 10 100 %",
        "op_1x 0 killed, 10 survived, 0 incompetent 10 0 %",
        "op_2x 0 killed, 0 survived, 10 incompetent 10 –",
        "op_0x 0 killed, 1 survived, 0 incompetent 1 0 %",
    ]
    killed, survived, incompetent = map(text_of, cards(page)[:3])
    assert "negative" in killed
    assert "killed by the problem's own tests: wrong answer" in killed
    assert "unknown: it may be right after all" in survived
    assert "does not compile, or is the same program" in incompetent
    assert re.findall(r'<tr class="([^"]+)">', cards(page)[0]) == ["same positive", "gone", "new negative"]
    assert "1 rejected problem" in page
    assert "reason x" in page


def test_filters_show_what_they_say_and_pages_follow_each_other(labeler, store):
    url, job_id = labeler(), store("x")
    for fields, expected in (
        ({}, 31),
        ({"label": "negative"}, 10),
        ({"label": "unknown", "operator": "op_1x"}, 10),
        ({"outcome": "survived"}, 11),
        ({"origin": "refactoring"}, 1),
        ({"verdict": "wrong_answer"}, 10),
        ({"label": "nonsense"}, 0),
    ):
        page, seen = see(url, job=job_id, **fields).text, []
        assert f"{expected} program" in text_of(page)
        while True:
            seen += cards(page)
            following = re.findall(r'href="(\?[^"#]*)#programs" rel="next"', page)
            if not following:
                break
            page = httpx.get(f"{url}/{html.unescape(following[0])}", headers=ACCEPT, trust_env=False).text
            assert len(cards(page)) <= PROGRAMS_AT_ONCE
        assert len(set(map(text_of, seen))) == len(seen) == expected


@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [({"job": "<nope>"}, 404, "There is no job '<nope>'."), ({"cursor": "x"}, 400, "The cursor is not one")],
)
def test_an_error_is_a_sentence_under_its_status(fields, status, said, labeler, store):
    page = see(labeler(), **({"job": store()} | fields))
    assert page.status_code == status
    [alert] = re.findall(r'role="alert">(.*?)</p>', page.text)
    assert said in html.unescape(alert)


def test_far_too_many_fields_are_refused(labeler):
    page = httpx.get(f"{labeler()}/?{'&'.join('job=1' for _ in range(500))}", headers=ACCEPT, trust_env=False)
    assert page.status_code == 400


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_becomes_no_markup(text, labeler, store):
    url, job_id = labeler(), store(text)
    queries = ({}, {"job": job_id}, {"job": job_id, "operator": text, "origin": text}, {"job": text}, {"cursor": text})
    for fields in queries:
        page = see(url, **fields).text
        assert re.findall(r"<(script|img|b onclick)", page) == ["script"]
        assert re.search(r"<[^<>]*\son\w+=", re.sub('value="[^"]*"', "", page)) is None
        assert "49" not in re.findall(r"<bdi>(.*?)</bdi>", page)
        assert not re.search("[\u202e\u2066\x1b]", re.sub('value="[^"]*"', "", page))


def test_behind_keys_the_page_is_a_door_without_one_and_whole_with_one(labeler, store):
    url, job_id = labeler(api_keys=(SecretStr("sesame"),)), store("secret")
    closed = see(url, job=job_id)
    assert (closed.status_code, "secret" in closed.text) == (401, False)
    opened = httpx.get(
        url, params={"job": job_id}, headers=ACCEPT | {"Authorization": "Bearer sesame"}, trust_env=False
    )
    assert (opened.status_code, len(cards(opened.text))) == (200, PROGRAMS_AT_ONCE)


def test_the_policy_forbids_all_but_the_pages_own_style_and_script(labeler, store):
    page = see(labeler(), job=store("x"))
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert " style=" not in page.text
    assert page.text.count("<script") == 1
