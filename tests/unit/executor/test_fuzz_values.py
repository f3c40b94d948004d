"""Whatever a program computes or writes, decoding gives exact builtin values, equal to it, or says malformed."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.executor.values import MAX_DEPTH, MalformedError, Opaque, decode, encode

steady = settings(derandomize=True, database=None, deadline=None, max_examples=200)
EXACT = (type(None), bool, int, float, complex, str, bytes, bytearray, list, tuple, dict, set, frozenset, range)

text = st.text(st.characters() | st.characters(categories=["Cs"]), max_size=6)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(2**60, 2**70)
    | st.floats()
    | text
    | st.binary(max_size=6)
    | st.complex_numbers()
    | st.builds(range, st.integers(), st.integers(), st.integers(min_value=1))
)
hashables = st.recursive(
    scalars, lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3), max_leaves=8
)
values = st.recursive(
    hashables | st.binary(max_size=4).map(bytearray),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner)
        | st.sets(hashables, max_size=3)
        | st.dictionaries(hashables, inner, max_size=3)
    ),
    max_leaves=20,
)
digits = st.sampled_from(["1", "-1", "f" * 20, "0x1.8p+1", "nan", "-inf", "00", " 1", "1_0", "aF", "\ud800", "-0"])
tags = st.sampled_from(
    [
        "int",
        "float",
        "complex",
        "str",
        "bytes",
        "bytearray",
        "set",
        "frozenset",
        "dict",
        "range",
        "list",
        "tuple",
        "opaque",
        "code",
    ]
)
wire = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text | digits,
    lambda inner: (
        st.lists(tags | inner, max_size=4)
        | st.builds(lambda tag, rest: [tag, *rest], tags, st.lists(inner | digits, max_size=3))
        | st.builds(lambda pairs: ["dict", *map(list, pairs)], st.lists(st.tuples(inner, inner), max_size=3))
        | st.dictionaries(text, inner, max_size=2)
    ),
    max_leaves=20,
)


def parts(value: Any) -> list[Any]:
    """`value`, and all that lies in it."""
    inner = [*value, *value.values()] if type(value) is dict else value
    nested = type(value) in (list, tuple, set, frozenset, dict)
    return [value, *(part for item in inner for part in parts(item))] if nested else [value]


def spelled(value: Any) -> str:
    """What tells 1 from True, 0.0 from -0.0 and a list from a tuple; keys in their order, members of a set sorted."""
    if type(value) in (set, frozenset):
        return f"{type(value).__name__}({sorted(map(spelled, value))})"
    if type(value) is dict:
        return f"dict({[(spelled(key), spelled(item)) for key, item in value.items()]})"
    if type(value) in (list, tuple):
        return f"{type(value).__name__}({[spelled(item) for item in value]})"
    return f"{type(value).__name__}({value!r})"


@steady
@given(values)
def test_every_builtin_value_comes_back_as_it_was(value: Any) -> None:
    found = decode(json.loads(json.dumps(encode(value))))
    assert spelled(found) == spelled(value)


@steady
@given(wire)
def test_decoding_anything_gives_exact_builtins_or_says_malformed(encoded: Any) -> None:
    try:
        value = decode(encoded)
    except MalformedError:
        return
    assert all(type(part) in (*EXACT, Opaque) for part in parts(value))


@steady
@given(wire)
def test_what_decodes_is_what_encoding_would_have_written(encoded: Any) -> None:
    """But for the order of a set, and names of types that do not travel."""
    try:
        value = decode(encoded)
    except MalformedError:
        return
    if any(type(part) is Opaque for part in parts(value)):
        return
    assert spelled(decode(encode(value))) == spelled(value)
    if not any(type(part) in (set, frozenset) for part in parts(value)):
        assert encode(value) == encoded


@steady
@given(st.sampled_from([list, tuple, frozenset]), st.integers(1, 2 * MAX_DEPTH))
def test_depth_has_one_bound_on_both_sides(kind: Any, depth: int) -> None:
    value = kind()
    for _ in range(depth - 1):
        value = kind([value])
    assert isinstance(decode(encode(value)), Opaque if depth > MAX_DEPTH else kind)
