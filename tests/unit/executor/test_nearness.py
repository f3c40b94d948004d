"""The judge's `approx` says what pytest's says, and its methods are those of text alone."""

from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.executor.nearness import Approximately, call_method
from services.executor.values import Opaque

numbers = (
    st.sampled_from([0, 1, -1, 2.0, 2.0000001, 2.1, 1e-13, 1e300, float("inf"), float("-inf"), 1 + 1j]) | st.floats()
)
expected = numbers | st.lists(numbers, max_size=2) | st.dictionaries(st.sampled_from("ab"), numbers, max_size=2)
found = expected | st.tuples(numbers) | st.sampled_from([None, "2.0", "", {}])
tolerance = st.none() | st.sampled_from([0.0, 0.1, 1e-6])


@settings(derandomize=True, database=None, deadline=None, max_examples=1000)
@given(st.data(), expected, tolerance, tolerance, st.booleans())
def test_what_is_near_to_pytest_is_near_here(
    data: st.DataObject, wanted: Any, rel: float | None, absolute: float | None, nan_ok: bool
) -> None:
    value = data.draw(st.just(wanted) | found)
    assume(wanted != [] or type(value) in (list, tuple))  # to pytest empty text or an empty dict is near to a list
    ours = value == Approximately(wanted, rel=rel, abs=absolute, nan_ok=nan_ok)
    assert ours == (value == pytest.approx(wanted, rel=rel, abs=absolute, nan_ok=nan_ok))


def test_methods_of_text_are_called_on_text_and_bytes() -> None:
    assert call_method("startswith", "ab", "a") is True
    assert call_method("isdigit", b"12") is True
    for value in (Opaque("Liar"), 1, None, ["a"], bytearray(b"a")):
        with pytest.raises(TypeError):
            call_method("startswith", value, "a")
    with pytest.raises(TypeError):
        call_method("isdecimal", b"1")
