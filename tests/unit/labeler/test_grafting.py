"""A model's change is carried over to the reference's text, and nothing else of what it wrote."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.labeler.teachers.grafting import graft

REFERENCE = """def f(xs, n) :
  # sum up
  total=0
  for i in range(n):
      if xs[i]>0 :
          total+=xs[i]

  return total
"""


def rewritten(old, new):
    """The reference as a tidy model writes it, without its comment, with one line changed."""
    tidy = """def f(xs, n):
    total = 0
    for i in range(n):
        if xs[i] > 0:
            total += xs[i]
    return total
"""
    assert old in tidy
    return tidy.replace(old, new)


@pytest.mark.parametrize(
    ("old", "new", "line", "expected"),
    [
        ("xs[i] > 0", "xs[i] >= 0", "      if xs[i]>0 :", "      if xs[i] >= 0:"),
        ("return total\n", "return total  # wrong here\n", None, None),
        ("return total\n", "return n  # wrong here\n", "  return total", "  return n"),
        ("    return total\n", "        return total\n", "\n  return total", "\n      return total"),
        ("total = 0\n", "total = 0\n    extra = 1\n", "total=0\n", "total=0\n  extra = 1\n"),
        ("            total += xs[i]\n", "            pass\n", "total+=xs[i]", "pass"),
        ("            total += xs[i]\n", "", None, None),
    ],
    ids=[
        "one line",
        "only a comment",
        "a telling comment",
        "another depth",
        "a line more",
        "a line for a line",
        "broken",
    ],
)
def test_only_what_differs_in_meaning_is_taken_over(old, new, line, expected):
    found = graft(REFERENCE, rewritten(old, new))
    if expected is None:
        assert found is None
    else:
        assert found.code == REFERENCE.replace(line, expected)


def test_changes_at_several_places_are_all_taken_over():
    written = rewritten("total = 0", "s = 0").replace("total", "s")
    found = graft(REFERENCE, written)
    assert found.code == REFERENCE.replace("total=0", "s = 0").replace("total+=xs[i]", "s += xs[i]").replace(
        "return total", "return s"
    )
    assert REFERENCE[found.start :].startswith("  total=0")


def test_text_in_strings_counts_to_the_last_blank():
    reference = "x = 'a b'\ny = '''one\n  two # no comment\n\n'''\n"
    assert graft(reference, reference.replace("a b", "ab")).code == reference.replace("a b", "ab")
    assert graft(reference, reference.replace("  two", " two")).code == reference.replace("  two", " two")
    assert graft(reference, reference) is None


@pytest.mark.parametrize("written", ["", "\n", "def f(:\n", "x = (\n", "'''", "\x00", "  x = 1\n y = 2\n"])
def test_what_is_no_program_is_no_change(written):
    assert graft(REFERENCE, written) is None


@given(st.text(alphabet="ab=1:#'\"\\\n \t()é\r\x0c", max_size=60))
def test_no_text_breaks_it(written):
    found = graft(REFERENCE, written)
    assert found is None or found.code != REFERENCE
