"""Values cross the wall as data: exact builtin types, nothing else, and never too much."""

import contextlib
import json
import math
from collections import Counter, OrderedDict, defaultdict, namedtuple
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.executor.values import MAX_DEPTH, MalformedError, Opaque, decode, encode

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.complex_numbers(allow_nan=False)
)
hashables = st.recursive(
    scalars, lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3), max_leaves=8
)
values = st.recursive(
    hashables,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner)
        | st.sets(hashables, max_size=3)
        | st.dictionaries(hashables, inner, max_size=3)
    ),
    max_leaves=20,
)
wire = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(
        st.sampled_from(["int", "float", "set", "dict", "range", "list", "opaque"]) | inner, max_size=4
    ),
    max_leaves=20,
)


@given(values)
def test_every_builtin_value_comes_back_as_it_was(value: Any) -> None:
    found = decode(json.loads(json.dumps(encode(value))))
    assert type(found) is type(value)
    assert found == value


def test_huge_integers_range_bytearray_and_nan_come_back() -> None:
    for value in (10**5000, -(2**64), range(3, 9, 2), bytearray(b"\x00\xff"), math.inf):
        found = decode(encode(value))
        assert type(found) is type(value)
        assert found == value
    assert math.isnan(decode(encode(math.nan)))  # type: ignore[arg-type]


def test_a_subclass_without_an_equality_of_its_own_travels_as_its_data() -> None:
    point = namedtuple("point", "x y")
    assert decode(encode(point(1, 2))) == (1, 2)
    assert decode(encode(defaultdict(int, {1: 2}))) == {1: 2}
    assert decode(encode(Counter("aab"))) == {"a": 2, "b": 1}
    assert decode(encode(OrderedDict([(1, 2)]))) == {1: 2}


class Liar(int):
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = int.__hash__


class Reducer:
    def __reduce__(self) -> tuple[Any, ...]:
        raise AssertionError("nobody asks")


@pytest.mark.parametrize("value", [Liar(3), Reducer(), object(), len, (item for item in ())])
def test_any_other_object_is_opaque_and_equal_to_nothing(value: object) -> None:
    found = decode(encode(value))
    assert isinstance(found, Opaque)
    assert found != value
    assert found != 3


def test_a_cycle_and_an_abyss_are_opaque() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    abyss: list[Any] = []
    for _ in range(MAX_DEPTH + 2):
        abyss = [abyss]
    assert isinstance(decode(encode(cycle)), Opaque)
    assert isinstance(decode(encode(abyss)), Opaque)


@given(wire)
def test_decoding_anything_gives_a_value_or_says_malformed(encoded: Any) -> None:
    with contextlib.suppress(MalformedError):
        decode(encoded)


def test_keys_of_one_hash_are_refused() -> None:
    colliding = ["dict", *([["int", f"{number * (2**61 - 1):x}"], 0] for number in range(1, 2000))]
    with pytest.raises(MalformedError, match="hash"):
        decode(colliding)


def test_a_range_of_no_step_and_a_bare_float_are_malformed() -> None:
    for encoded in (["range", "1", "2", "0"], 1.5, ["code", "x"], [], ["set", ["list"]], {"a": 1}):
        with pytest.raises(MalformedError):
            decode(encoded)
