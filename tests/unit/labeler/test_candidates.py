"""Candidates are filtered, chosen by seed, and know which step they changed."""

import os
import subprocess
import sys
from collections import Counter

import pytest

from services.contracts import Origin, Segment, split_steps
from services.labeler.bytecode import essence
from services.labeler.candidates import choose, first_difference, propose
from services.labeler.syntax import Program

CODE = """def f(xs, n):
    # sum up
    total = 0
    for i in range(n):
        if xs[i] > 0 and total < 100:
            total += xs[i]
    return total + 1
"""
PER_STEP = {Origin.MUTATION: 3, Origin.REFACTORING: 1}


@pytest.mark.parametrize("segment", Segment)
def test_every_candidate_differs_from_the_solution_first_at_its_changed_step(segment):
    before = [CODE[step.start : step.end] for step in split_steps(CODE, segment)]
    candidates = propose(Program(CODE), segment)
    assert len(candidates) > 30
    for candidate in candidates:
        after = [candidate.code[step.start : step.end] for step in split_steps(candidate.code, segment)]
        changed = candidate.changed_step
        assert after[:changed] == before[:changed]
        assert after[changed] != before[changed]
        assert candidate.blamable == (after[changed + 1 :] == before[changed + 1 :])


def test_competent_candidates_are_all_different_programs():
    competent = [candidate for candidate in propose(Program(CODE), Segment.LINE) if candidate.competent]
    essences = [essence(candidate.code) for candidate in competent]
    assert None not in essences
    assert len({essence(CODE), *essences}) == len(essences) + 1


@pytest.mark.parametrize(
    ("code", "operator", "changed"),
    [
        ("def f():\n    return None\n", "statement_deletion", "def f():\n    pass\n"),
        ("match x:\n    case 1 + 2j: y = 1\n", "arithmetic_operator", "match x:\n    case 1 * 2j: y = 1\n"),
    ],
    ids=["the same bytecode", "does not compile"],
)
def test_a_change_that_proves_nothing_is_incompetent(code, operator, changed):
    [found] = [item for item in propose(Program(code), Segment.LINE) if item.code == changed]
    assert (found.operator, found.competent) == (operator, False)
    assert found in choose([found], {Origin.MUTATION: 0}, "0/p")


def test_each_step_gets_at_most_what_is_asked_for_and_many_operators():
    chosen = choose(propose(Program(CODE), Segment.LINE), PER_STEP, "0/p")
    counts = Counter((candidate.origin, candidate.place) for candidate in chosen if candidate.competent)
    assert all(count <= PER_STEP[origin] for (origin, _), count in counts.items())
    condition = [item.operator for item in chosen if item.place == 4 and item.origin is Origin.MUTATION]
    assert len(condition) == len(set(condition)) == 3


def test_none_of_a_kind_can_be_asked_for():
    chosen = choose(propose(Program(CODE), Segment.LINE), {Origin.MUTATION: 0, Origin.REFACTORING: 1}, "0/p")
    assert {candidate.origin for candidate in chosen if candidate.competent} == {Origin.REFACTORING}


def test_the_seed_decides_and_nothing_else():
    candidates = propose(Program(CODE), Segment.LINE)
    assert choose(candidates, PER_STEP, "0/p") == choose(propose(Program(CODE), Segment.LINE), PER_STEP, "0/p")
    assert choose(candidates, PER_STEP, "0/p") != choose(candidates, PER_STEP, "1/p")


def test_the_hash_seed_of_the_process_changes_no_candidate():
    script = (
        "from services.contracts import Origin, Segment\n"
        "from services.labeler.candidates import choose, propose\n"
        "from services.labeler.syntax import Program\n"
        f"chosen = choose(propose(Program({CODE!r}), Segment.LINE), "
        "{Origin.MUTATION: 3, Origin.REFACTORING: 9}, '0/p')\n"
        "print([(c.operator, c.code) for c in chosen])"
    )
    outputs = [
        subprocess.run(
            [sys.executable, "-c", script],
            env=os.environ | {"PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert outputs[0] == outputs[1]


def test_the_first_difference_is_found_when_lines_are_added_or_lost():
    assert first_difference(["a", "b", "c"], ["a", "x", "c"]) == (1, True)
    assert first_difference(["a", "b"], ["a", "x", "b"]) == (1, False)
    assert first_difference(["a", "b", "c"], ["a", "c"]) == (1, False)
    assert first_difference(["a", "b"], ["a"]) == (0, False)
