"""The splitter is total, exact, and reads from left to right."""

import re
import tokenize
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts import Segment, StepKind, split_steps

SOURCE_LIKE = st.text(alphabet=st.sampled_from(list("ab=:#()[]{}\\'\" \t\r\n\f🎉é\u2028")), max_size=80)
NEWLINE = re.compile(r"\r\n|\n|\r")


def texts(code: str, segment: Segment = Segment.LINE) -> list[str]:
    return [code[step.start : step.end] for step in split_steps(code, segment)]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("", []),
        ("\n", [""]),
        ("a", ["a"]),
        ("a\n", ["a"]),
        ("a\r\nb\rc\n\nd", ["a", "b", "c", "", "d"]),
        ("x = '🎉'\n\ty = 'é'\n", ["x = '🎉'", "\ty = 'é'"]),
        ("def f(:\n  ((\n", ["def f(:", "  (("]),
        ("a\fb\u2028c\n", ["a\fb\u2028c"]),
    ],
)
def test_a_line_is_what_python_calls_a_physical_line(code: str, expected: list[str]) -> None:
    assert texts(code) == expected


def test_spans_count_code_points_and_lines_count_from_one() -> None:
    first, second = split_steps("s = '🎉🎉'\r\nreturn s\r\n")
    assert (first.start, first.end, first.first_line, first.last_line) == (0, 8, 1, 1)
    assert (second.start, second.end, second.first_line, second.last_line) == (10, 18, 2, 2)


def test_comments_and_blanks_are_told_from_code_but_not_inside_a_string() -> None:
    code = 'x = """\n# text\n\n"""\n# comment\n  \ny = 1  # note\n'
    kinds = [step.kind.value for step in split_steps(code)]
    assert kinds == ["code", "code", "code", "code", "comment", "blank", "code"]


@given(SOURCE_LIKE)
def test_no_line_is_another_for_the_string_that_is_opened_behind_it(code: str) -> None:
    lines = split_steps(code)
    assert split_steps(f'{code}\n"""')[: len(lines)] == lines


@pytest.mark.parametrize(
    "statement",
    [
        "f(1,\n  2)",
        "x = [\n\n# why\n1]",
        's = """a\n# b\n"""',
        "a = 1 + \\\n    2",
        "s = 'a\\\nb'",
        "s = '''it's \\'''\n'''",
    ],
)
def test_a_statement_spans_its_open_brackets_strings_and_backslashes(statement: str) -> None:
    assert texts(f"a = 0\n{statement}\nb = 1\n", Segment.STATEMENT) == ["a = 0", statement, "b = 1"]


def test_quotes_and_brackets_in_strings_and_comments_open_nothing() -> None:
    code = "a = '(' # [\nb = \"'''\"\nc = '\\''\nd = 1\n"
    assert texts(code, Segment.STATEMENT) == code.splitlines()


def test_a_block_is_a_run_of_statements_at_one_indentation() -> None:
    code = "def f(x):\n    a = 1\n\n    # note\n    b = (a,\n         x)\n    if b:\n        a = 2\n    return a\n"
    blocks = texts(code, Segment.BLOCK)
    assert blocks == [
        "def f(x):",
        "    a = 1\n\n    # note\n    b = (a,\n         x)\n    if b:",
        "        a = 2",
        "    return a",
    ]


@given(SOURCE_LIKE, st.sampled_from(Segment))
def test_every_character_but_separating_newlines_is_in_exactly_one_step(code: str, segment: Segment) -> None:
    steps = split_steps(code, segment)
    covered = 0
    for index, step in enumerate(steps):
        assert step.index == index
        assert NEWLINE.fullmatch(code[covered : step.start]) if index else step.start == 0
        assert covered <= step.start <= step.end
        assert step.last_line - step.first_line == len(NEWLINE.findall(code[step.start : step.end]))
        covered = step.end
    assert code[covered:] == "" or NEWLINE.fullmatch(code[covered:])


@given(SOURCE_LIKE)
def test_what_follows_a_line_changes_nothing_about_it(code: str) -> None:
    steps = split_steps(code)
    for step in steps:
        assert split_steps(code[: step.end])[: step.index + 1] == steps[: step.index + 1] or step.start == step.end


@given(SOURCE_LIKE)
def test_coarser_segments_join_finer_ones(code: str) -> None:
    ends = [{step.end for step in split_steps(code, segment)} for segment in Segment]
    assert ends[0] >= ends[1] >= ends[2]


def test_statements_are_those_of_pythons_own_tokenizer() -> None:
    source = split_steps.__code__.co_filename
    with open(source, encoding="utf-8") as file:
        code = file.read()
    rows = set()
    first = None
    for token in tokenize.generate_tokens(StringIO(code).readline):
        if token.type in (tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER):
            continue
        first = first or token.start[0]
        if token.type == tokenize.NEWLINE:
            rows.add((first, token.start[0]))
            first = None
    steps = split_steps(code, Segment.STATEMENT)
    assert {(s.first_line, s.last_line) for s in steps if s.kind is StepKind.CODE} == rows
