"""What the page's form sends, and the link that says the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts import Segment
from services.kit.errors import ServiceError
from services.scorer.page_form import EXAMPLE, LINK_BYTES, PageForm

unicode_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"))


@given(unicode_text, unicode_text, unicode_text, st.sampled_from(list(Segment)), unicode_text)
def test_a_link_says_what_the_form_said(prompt: str, code: str, other: str, segment: Segment, model: str) -> None:
    form = PageForm(prompt, code, other, segment.value, model, truncate="prompt")
    assert PageForm.read(form.link.removeprefix("?")) == form


def test_a_browsers_newlines_are_newlines() -> None:
    assert PageForm.read("code=a%0D%0A%0D%0Ab%0Dc%0A").code == "a\n\nb\nc\n"


def test_unknown_fields_are_ignored_the_last_of_two_counts_and_what_is_no_utf8_is_replaced() -> None:
    form = PageForm.read("utm=x&code=one&code=two&prompt=%ED%A0%80%ff")
    assert (form.code, form.segment, form.model) == ("two", "line", "")
    assert set(form.prompt) == {"\ufffd"}


def test_far_too_many_fields_are_refused() -> None:
    with pytest.raises(ServiceError) as refused:
        PageForm.read("&".join(f"f{n}=1" for n in range(1000)))
    assert refused.value.status == 422


def test_a_link_has_a_longest_length_in_bytes() -> None:
    shortest = len(PageForm(code="").link + "&code=")
    assert PageForm(code="x" * (LINK_BYTES - shortest)).fits_a_link
    assert not PageForm(code="x" * (LINK_BYTES - shortest + 1)).fits_a_link
    assert not PageForm(code="é" * (LINK_BYTES // 6)).fits_a_link


def test_each_program_becomes_a_request_with_the_forms_choices() -> None:
    requests = PageForm("p", "a", "b", "block", "prm", "prompt").requests()
    assert [request.code for request in requests] == ["a", "b"]
    assert {(r.prompt, r.segment, r.model, r.truncate) for r in requests} == {("p", Segment.BLOCK, "prm", "prompt")}


def test_what_is_left_out_is_the_services_choice() -> None:
    [request] = PageForm.read("code=a").requests()
    assert (request.prompt, request.segment, request.model, request.truncate) == ("", Segment.LINE, None, None)


def test_an_unknown_segment_is_422_and_says_which_there_are() -> None:
    with pytest.raises(ServiceError, match="line, statement, block") as refused:
        PageForm(code="a", segment="<word>").requests()
    assert refused.value.status == 422


def test_the_example_has_two_programs_and_fits_a_link() -> None:
    assert len(EXAMPLE.programs) == 2
    assert EXAMPLE.fits_a_link
