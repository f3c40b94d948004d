from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.contracts import ScoreRequest, Segment
from services.contracts.prm_layout import InputTooLongError
from services.scorer.encoding import encode


def test_code_steps_are_scored_at_their_newlines(prm: Any) -> None:
    encoded = encode(ScoreRequest(prompt="p", code="a\n# c\n\nbb"), prm)
    characters = "".join(map(chr, encoded.input.ids))
    assert characters == "p\na\n# c\n\nbb\n"
    assert encoded.scored_steps == [0, 3]
    assert encoded.input.positions == [3, len(characters) - 1]


def test_the_models_prefix_opens_the_input(prm: Any) -> None:
    prm.prefix_ids = (0, 1)
    assert encode(ScoreRequest(prompt="p", code="a"), prm).input.ids[:3] == [0, 1, ord("p")]


def test_the_segment_decides_what_a_step_is(prm: Any) -> None:
    code = "f(\n  1)\ng()"
    by_line = encode(ScoreRequest(prompt="", code=code), prm)
    by_statement = encode(ScoreRequest(prompt="", code=code, segment=Segment.STATEMENT), prm)
    assert (len(by_line.scored_steps), len(by_statement.scored_steps)) == (3, 2)


def test_an_input_over_the_models_length_is_refused_unless_the_prompt_may_go(prm: Any) -> None:
    prm.max_tokens = 6
    with pytest.raises(InputTooLongError) as refusal:
        encode(ScoreRequest(prompt="prompt", code="a = 1"), prm)
    assert (refusal.value.tokens, refusal.value.max_tokens) == (13, 6)
    cut = encode(ScoreRequest(prompt="prompt", code="a = 1", truncate="prompt"), prm)
    assert ("".join(map(chr, cut.input.ids)), cut.input.truncated) == ("a = 1\n", True)


LINES = st.lists(st.sampled_from(["a = 1", "# c", "", "return a", "\tif x:", "s = '🙂'"]), max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(prompt=st.text("pq\n", max_size=20), lines=LINES, max_tokens=st.integers(1, 60))
def test_a_cut_prompt_moves_no_score_to_another_step(
    prompt: str, lines: list[str], max_tokens: int, another_prm: Any
) -> None:
    """The trap of truncated inputs with untruncated labels: https://github.com/OpenRLHF/OpenRLHF/issues/652."""
    prm = another_prm()
    code = "\n".join(lines)
    whole = encode(ScoreRequest(prompt=prompt, code=code), prm)
    prm.max_tokens = max_tokens
    request = ScoreRequest(prompt=prompt, code=code, truncate="prompt")
    if len(whole.input.ids) - len(prompt + "\n") > max_tokens:
        with pytest.raises(InputTooLongError):
            encode(request, prm)
        return
    cut = encode(request, prm)
    assert len(cut.input.ids) == min(len(whole.input.ids), max_tokens)
    assert cut.input.truncated == (len(whole.input.ids) > max_tokens)
    assert (cut.steps, cut.scored_steps) == (whole.steps, whole.scored_steps)
    for index, position in zip(cut.scored_steps, cut.input.positions, strict=True):
        read = "".join(map(chr, cut.input.ids[: position + 1]))
        assert read.endswith(code[: cut.steps[index].end] + "\n")
