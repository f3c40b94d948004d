"""Before against after: paired by task, by hand."""

import json

import pytest

from services.cli.demo.comparison import compare
from services.cli.errors import FailedError


@pytest.fixture
def samples(tmp_path):
    """A samples file from task to the outcomes of its programs: 1 accepted, 0 wrong, None no verdict."""

    def write(name: str, tasks: dict[str, list[int | None]]):
        verdicts = {1: "accepted", 0: "wrong_answer", None: None}
        rows = [
            {"task_id": task, "kind": "sampled", "completion": "", "verdict": verdicts[outcome]}
            for task, outcomes in tasks.items()
            for outcome in outcomes
        ]
        path = tmp_path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    return write


def test_the_difference_is_paired_by_task(samples):
    before = samples("before", {"a": [1, 0], "b": [0, 0], "c": [1, 1]})
    after = samples("after", {"a": [1, 1], "b": [1, 0], "c": [1, 1]})
    found = compare(before, after)
    assert (found.tasks, found.before, found.after) == (3, 0.5, pytest.approx(5 / 6))
    assert found.difference == pytest.approx(1 / 3)
    assert found.standard_error == pytest.approx(1 / 6)  # of .5, .5, 0: deviation .2887 over the root of 3
    assert found.verdict == "PPO improved the policy"


def test_a_program_without_a_verdict_counts_neither_way(samples):
    found = compare(samples("before", {"a": [1, None], "b": [0]}), samples("after", {"a": [1], "b": [None]}))
    assert (found.tasks, found.before, found.after) == (1, 1.0, 1.0)
    assert found.standard_error is None
    assert found.verdict == "PPO did not improve the policy"


def test_a_small_gain_is_called_noise(samples):
    found = compare(samples("before", {"a": [1, 0], "b": [1, 0]}), samples("after", {"a": [1, 1], "b": [1, 0]}))
    assert found.difference == 0.25
    assert found.verdict == "PPO's gain is within the noise of this evaluation"


def test_a_loss_is_called_a_loss(samples):
    tasks = {str(task): [1, 1] for task in range(9)}
    found = compare(samples("before", tasks), samples("after", {task: [0, 0] for task in tasks}))
    assert found.verdict == "PPO made the policy worse"


def test_evaluations_without_a_task_in_common_cannot_be_compared(samples):
    with pytest.raises(FailedError, match="no held-out task"):
        compare(samples("before", {"a": [1]}), samples("after", {"b": [1]}))
