from typing import Any

import pytest

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
