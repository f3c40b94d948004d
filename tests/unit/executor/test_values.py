"""Values cross the wall as data: exact builtin types, nothing else, and never too much."""

import json
import math
import threading
from collections import Counter, OrderedDict, defaultdict, namedtuple
from typing import Any

import pytest

from services.executor.values import MAX_DEPTH, MalformedError, Opaque, decode, encode


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


def test_keys_of_one_hash_are_refused() -> None:
    colliding = ["dict", *([["int", f"{number * (2**61 - 1):x}"], 0] for number in range(8, 2000))]
    with pytest.raises(MalformedError, match="hash"):
        decode(colliding)


def test_a_range_of_no_step_and_a_bare_float_are_malformed() -> None:
    for encoded in (["range", "1", "2", "0"], 1.5, ["code", "x"], [], ["set", ["list"]], {"a": 1}):
        with pytest.raises(MalformedError):
            decode(encoded)


@pytest.mark.parametrize(
    "encoded",
    [
        ["dict", "ab"],
        ["dict", [1, 2, 3]],
        ["dict", [1, 2], [1, 3]],
        ["set", 1, 1],
        ["set", 1, True],
        ["int", "1"],
        ["int", " ffffffffffffffffffff"],
        ["int", "0xffffffffffffffffffff"],
        ["int", "ffffffffffffffffffff", "1"],
        ["int", 5, "ffffffffffffffffffff"],
        ["float", "1.5"],
        ["float", "infinity"],
        ["bytes", "a b c d"],
        ["str", "6162"],
        ["range", "1", "2"],
        ["list", 2**63],
        ["opaque", 1],
        ["opaque"],
        [["list"], 1],
    ],
    ids=str,
)
def test_what_encoding_never_writes_is_malformed(encoded: object) -> None:
    with pytest.raises(MalformedError):
        decode(encoded)


def test_two_surrogates_do_not_become_one_character() -> None:
    for text in ("\ud83d\ude00", "\ud800", "\U0001f600", "é"):
        found = decode(json.loads(json.dumps(encode(text))))
        assert [ord(character) for character in str(found)] == [ord(character) for character in text]


class LyingMeta(type):
    """Answers for its classes whatever is asked."""

    @property
    def __mro__(cls) -> Any:
        raise AssertionError("nobody asks")

    @property
    def __dict__(cls) -> Any:
        raise AssertionError("nobody asks")

    @property
    def __name__(cls) -> Any:
        raise AssertionError("nobody asks")

    def __eq__(cls, other: object) -> bool:
        raise AssertionError("nobody asks")

    def __hash__(cls) -> int:
        raise AssertionError("nobody asks")

    def __instancecheck__(cls, instance: object) -> bool:
        raise AssertionError("nobody asks")

    def __subclasscheck__(cls, subclass: type) -> bool:
        raise AssertionError("nobody asks")


def lying_methods(base: type) -> dict[str, Any]:
    """All that a subclass of `base` can say of itself, but for its equality."""

    def refuse(*arguments: Any) -> Any:
        raise AssertionError("nobody asks")

    names = "__iter__ __len__ __repr__ __str__ __int__ __index__ __float__ __complex__ __bytes__ __reduce__ __format__"
    more = "__getitem__ __contains__ __bool__ __getattribute__ items keys values hex real imag __class__ copy isascii"
    return {name: property(refuse) if name == "__class__" else refuse for name in (*names.split(), *more.split())}


@pytest.mark.parametrize("value", [7, 1.5, 2j, "ab", b"ab", bytearray(b"ab"), [1], (1,), {1}, frozenset({1}), {1: 2}])
@pytest.mark.parametrize("meta", [type, LyingMeta])
def test_a_subclass_that_lies_about_everything_travels_as_the_data_it_has(value: Any, meta: type) -> None:
    liar = meta("Liar", (type(value),), lying_methods(type(value)))
    found = decode(
        encode(
            type(value).__new__(liar, value) if type(value) not in (list, set, dict, bytearray) else filled(liar, value)
        )
    )
    assert type(found) is type(value)
    assert found == value


def filled(liar: Any, value: Any) -> Any:
    instance = type(value).__new__(liar)
    type(value).__init__(instance, value)
    return instance


def test_a_metaclass_with_an_order_of_its_own_gains_nothing() -> None:
    class Orderly(type):
        def mro(cls) -> list[type]:
            return [cls, object]

    class Free(metaclass=Orderly):
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = object.__hash__

    assert isinstance(decode(encode(Free())), Opaque)


def test_a_lying_class_name_is_cut() -> None:
    assert len(str(encode(type("x" * 10**6, (), {})()))) < 300


def test_scalars_of_numpy_travel_as_pythons_own() -> None:
    numpy = pytest.importorskip("numpy")
    for scalar, value in (
        (numpy.int64(3), 3),
        (numpy.float64(1.5), 1.5),
        (numpy.float32(0.5), 0.5),
        (numpy.str_("a"), "a"),
    ):
        found = decode(encode([scalar]))
        assert found == [value]
        assert type(found[0]) is type(value)  # type: ignore[index]
    truth = decode(encode(numpy.bool_(True)))
    assert truth == True  # noqa: E712
    assert truth is not True
    assert isinstance(decode(encode(numpy.array([1, 2]))), Opaque)


def test_a_dict_that_grows_while_it_is_encoded_is_one_snapshot() -> None:
    grown = {number: [number] for number in range(100)}
    stop = threading.Event()

    def grow() -> None:
        number = 100
        while not stop.is_set() and number < 10**5:
            grown[number] = [number]
            number += 1

    thread = threading.Thread(target=grow)
    thread.start()
    try:
        for _ in range(20):
            assert isinstance(decode(encode(grown)), (dict, Opaque))
    finally:
        stop.set()
        thread.join()
