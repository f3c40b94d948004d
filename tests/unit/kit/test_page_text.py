"""What people can't see is named, and all else is left alone."""

import pytest

from services.kit.page_text import Part, as_sentence, visible


@pytest.mark.parametrize("character", ["\0", "\x1b", "\u202e", "\u2066", "\u200b", "\ufeff", "\u2028", "\ud800"])
def test_a_character_that_would_not_be_seen_is_named(character: str) -> None:
    parts = visible(f"a{character}b")
    assert parts == [Part("a"), Part(f"U+{ord(character):04X}", is_name=True), Part("b")]


@pytest.mark.parametrize("text", ["a\tb", "naïve — 漢字", "👩\u200d🔬", "one\ntwo", "<b>&amp;"])
def test_all_other_text_stays_as_it_is(text: str) -> None:
    assert visible(text) == [Part(text)]


@pytest.mark.parametrize(
    ("message", "sentence"), [("no such job", "No such job."), ("Why?", "Why?"), ("", "."), ("é.", "É.")]
)
def test_a_message_becomes_a_sentence(message: str, sentence: str) -> None:
    assert as_sentence(message) == sentence
