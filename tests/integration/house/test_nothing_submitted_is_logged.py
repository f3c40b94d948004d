"""A marker goes in by every route, well-formed and not, and is in no log, at the level that says most."""

import json
from typing import Any

import pytest

MARKER = "marker_8f14e45f"
CODE = f"def f(x):\n    {MARKER} = x\n    return {MARKER}\n"
RAISES = f"def f(x):\n    raise ValueError('{MARKER}')\n"
TESTS = ["assert f(1) == 1"]
PROBLEM = {"id": "1", "prompt": MARKER, "solution": CODE, "setup": f"{MARKER} = 1", "tests": TESTS}
MESSAGE = {"role": "user", "content": MARKER}

BODIES: dict[str, dict[str, list[Any]]] = {
    "executor": {
        "/execute": [
            {"code": CODE, "tests": TESTS},
            {"code": RAISES, "tests": [f"assert f('{MARKER}')"]},
            {"code": f"def {MARKER}(", "tests": TESTS},
            {"code": f"while True: {MARKER} = 1", "tests": TESTS, "limits": {"cpu_s": 0.2, "wall_s": 0.2}},
            {"code": f"{MARKER}\ud800", "tests": TESTS},
            {"code": CODE, "tests": [{"kind": "stdio", "stdin": MARKER, "expected_stdout": MARKER}]},
            {"code": CODE, "tests": TESTS, "limits": {"wall_s": 1e9}},
        ],
        "/execute/batch": [{"programs": [{"code": CODE, "tests": TESTS}, {"code": RAISES, "tests": TESTS}]}],
        "/run_code": [
            {"code": f"print('{MARKER}')", "language": "python", "files": {MARKER: "!"}},
            {"code": RAISES + "f(1)", "language": "python", "stdin": MARKER},
            {"code": CODE, "language": MARKER},
        ],
    },
    "scorer": {
        "/score": [
            {"prompt": MARKER, "code": CODE},
            {"prompt": MARKER * 5000, "code": CODE},
            {"prompt": MARKER, "code": f"{MARKER}\ud800"},
            {"prompt": MARKER, "code": CODE, "model": MARKER},
        ],
        "/score/batch": [{"items": [{"prompt": MARKER, "code": CODE}] * 2}],
        "/get_reward": [{"query": [MARKER + CODE], "prompts": [MARKER]}, {"query": [CODE], "prompts": ["other"]}],
        "/classify": [{"model": "prm", "input": [CODE]}],
        "/pooling": [{"model": "prm", "input": [CODE]}, {"model": "prm", "messages": [MESSAGE]}],
        f"/models/{MARKER}/reload": [{}],
        "/": [{"code": CODE}],
    },
    "labeler": {
        "/jobs": [
            {"name": MARKER, "problems": [PROBLEM]},
            {"name": MARKER, "problems": [PROBLEM | {"solution": RAISES}]},
            {"name": MARKER, "problems": [PROBLEM | {"solution": f"def {MARKER}("}]},
            {"name": MARKER, "problems": [PROBLEM | {"solution": f"{MARKER}\x00"}]},
            {"name": MARKER, "problems": [PROBLEM, PROBLEM]},
        ],
    },
}
GETS = {
    "executor": [f"/{MARKER}"],
    "scorer": [f"/?code={MARKER}", f"/?{MARKER}=1", f"/{MARKER}"],
    "labeler": [f"/jobs/{MARKER}", f"/jobs?cursor={MARKER}", f"/jobs/{MARKER}/labels", f"/?job={MARKER}"],
}


def spoilt(body: Any) -> list[bytes]:
    """The body itself; with a field too many, with every field of another type, cut short, and as no JSON at all."""
    whole = json.dumps(body).encode()
    return [
        whole,
        json.dumps(body | {MARKER: MARKER}).encode(),
        json.dumps({key: {"of": MARKER} for key in body}).encode(),
        whole[: len(whole) * 2 // 3],
        f"{MARKER} {{".encode(),
    ]


@pytest.mark.parametrize("service", sorted(BODIES))
def test_every_route_is_tried(service: str, house: Any) -> None:
    with house.client(service) as client:
        paths = client.get("/openapi.json").json()["paths"]
    posts = {path for path, methods in paths.items() if "post" in methods}
    assert posts - {"/models/{name}/reload"} <= set(BODIES[service])


def test_no_submitted_text_is_in_any_log(house: Any, wait_until: Any) -> None:
    statuses: list[int] = []
    jobs: list[str] = []
    for service, routes in BODIES.items():
        with house.client(service) as client:
            for path, bodies in routes.items():
                for content in (content for body in bodies for content in spoilt(body)):
                    headers = {"Content-Type": "application/json", "X-Request-ID": f"{MARKER} {{}}"}
                    answer = client.post(path, content=content, headers=headers)
                    statuses.append(answer.status_code)
                    jobs += [answer.json()["id"]] if (path, answer.status_code) == ("/jobs", 202) else []
            statuses += [client.get(path, headers={"Accept": "text/html"}).status_code for path in GETS[service]]
    assert {200, 202, 400, 404, 413, 422} <= set(statuses)
    assert not [status for status in statuses if status >= 500]
    with house.client("labeler") as client:
        for job in jobs:
            wait_until(lambda job=job: client.get(f"/jobs/{job}").json()["status"] in ("succeeded", "failed"))
            client.get(f"/jobs/{job}/labels")
    logs = house.logs()
    assert len([line for line in house.lines() if line["message"] == "request"]) > len(statuses)
    assert MARKER not in logs, next(line for line in logs.splitlines() if MARKER in line)
