"""Every operator and refactoring does to its own examples what they say, and nothing else."""

import pytest

from services.labeler.operators import OPERATORS
from services.labeler.refactorings import REFACTORINGS
from services.labeler.rule import Example, Rule
from services.labeler.syntax import Program, apply

RULES = (*OPERATORS, *REFACTORINGS)
CASES = [
    pytest.param(rule, example, id=f"{rule.name}-{number}")
    for rule in RULES
    for number, example in enumerate(rule.examples)
]


def results(rule: Rule, code: str) -> list[str]:
    program = Program(code)
    return [apply(code, edit) for node in program.walk() for edit in rule.edits(node, program)]


@pytest.mark.parametrize(("rule", "example"), CASES)
def test_rule_makes_exactly_what_its_examples_say(rule: Rule, example: Example) -> None:
    assert results(rule, example.before) == list(example.after)
    for code in example.after:
        compile(code, "<example>", "exec")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_rule_shows_what_it_does_and_has_a_name_of_its_own(rule: Rule) -> None:
    assert any(example.after for example in rule.examples)
    assert [other.name for other in RULES].count(rule.name) == 1
    assert rule.may_break


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_rule_leaves_the_rest_of_the_text_byte_for_byte(rule: Rule) -> None:
    """CRLF, tabs, a comment in other letters and trailing blanks survive before and behind the change."""
    before, after = "head\t=\t'é😀' ;\r\n\r\n# ünder\t \r\n", "\r\n\r\n# end \t\r\ntail\t=[ 0 ]"
    for example in rule.examples:
        wrapped = [before + code + after for code in example.after]
        found = results(rule, before + example.before + after)
        inside = [code for code in found if code.startswith(before) and code.endswith(after)]
        assert [code for code in inside if code in wrapped] == wrapped
