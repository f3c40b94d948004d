"""The language in which values leave a candidate's process: exact builtin types, and nothing that runs.

`encode` runs inside, `decode` outside. The wire form is JSON: null, booleans, strings and small integers stand for
themselves, all else is a list that begins with a tag. `decode` rebuilds builtin types alone, whatever the bytes say: no
pickle, no eval, no class of the candidate's. A value of any other type travels as its type's name and equals nothing.

A subclass of a builtin type is sent as that type's own data where it leaves equality alone (a namedtuple, a
`defaultdict`); one with an equality of its own is opaque, so an `__eq__` that always says True is a wrong answer.
Standard library only: this module is loaded beside the candidate.
"""

import collections
from collections import Counter, OrderedDict
from typing import Any, TypeAlias

Encoded: TypeAlias = "bool | int | str | list[Encoded] | None"

MAX_DEPTH = 100
"""Containers in containers; a cycle is deeper than any bound."""
MAX_NODES = 200_000
"""Values in one value, itself included."""
MAX_COLLISIONS = 200
"""Keys of one hash in one set or dict: each costs a comparison with all before it."""
_SMALL = 2**63

_LISTS: dict[Any, str] = {list: "list", tuple: "tuple", set: "set", frozenset: "frozenset"}
_TAGS: dict[object, Any] = {tag: kind for kind, tag in _LISTS.items()}
_SCALARS = (bool, int, float, complex, str, bytes, bytearray)
_BASES = (*_SCALARS, *_LISTS, dict)
_TRUSTED_EQUALITY = (OrderedDict, Counter)


class MalformedError(Exception):
    """Bytes that `encode` never writes, or more of them than is allowed."""


class Opaque:
    """A value of a type that does not travel; equal to nothing but itself."""

    def __init__(self, type_name: str) -> None:
        self.type_name = type_name

    def __repr__(self) -> str:
        return f"<{self.type_name}>"


class _TooLargeError(Exception):
    pass


def encode(value: object) -> Encoded:
    """The wire form of `value`; a value that is too deep or too large is opaque."""
    try:
        return _Encoder().encode(value, 0)
    except _TooLargeError:
        return ["opaque", f"{type(value).__name__} that is too large"]


class _Encoder:
    def __init__(self) -> None:
        self._nodes = 0

    def encode(self, value: Any, depth: int) -> Encoded:
        self._nodes += 1
        if depth > MAX_DEPTH or self._nodes > MAX_NODES:
            raise _TooLargeError
        kind = _builtin_type(value)
        if value is None or value is True or value is False:
            return value
        if kind in _LISTS:
            return [_LISTS[kind], *[self.encode(item, depth + 1) for item in kind.__iter__(value)]]
        if kind is dict:
            pairs = dict.items(value)
            return ["dict", *[[self.encode(key, depth + 1), self.encode(item, depth + 1)] for key, item in pairs]]
        return _encode_scalar(value, kind)


def _encode_scalar(value: Any, kind: Any) -> Encoded:
    if kind is str:
        return str.__str__(value)
    if kind is int:
        number = int.__int__(value)
        return number if -_SMALL < number < _SMALL else ["int", f"{number:x}"]
    if kind is float:
        return ["float", float.hex(value)]
    if kind is complex:
        pair = complex.__complex__(value)
        return ["complex", float.hex(pair.real), float.hex(pair.imag)]
    if kind in (bytes, bytearray):
        return [kind.__name__, kind.hex(value)]
    if type(value) is range:
        return ["range", f"{value.start:x}", f"{value.stop:x}", f"{value.step:x}"]
    return ["opaque", type(value).__name__]


def _builtin_type(value: object) -> Any:
    """The builtin type as which `value` travels; `object` where it does not."""
    kind = type(value)
    if kind in _BASES:
        return kind
    for base in _BASES:
        if issubclass(kind, base):
            own_equality = any("__eq__" in vars(each) for each in kind.__mro__[: kind.__mro__.index(base)])
            return object if own_equality and kind not in _TRUSTED_EQUALITY else base
    return object


def decode(encoded: object) -> object:
    """The value that `encoded` stands for.

    Raises:
        MalformedError: `encode` did not write this.
    """
    try:
        return _Decoder().decode(encoded, 0)
    except (TypeError, ValueError, IndexError, OverflowError) as error:
        raise MalformedError(f"not an encoded value: {type(error).__name__}") from error


class _Decoder:
    def __init__(self) -> None:
        self._nodes = 0

    def decode(self, encoded: object, depth: int) -> object:
        self._nodes += 1
        if depth > MAX_DEPTH or self._nodes > MAX_NODES:
            raise MalformedError("too deep or too large")
        if encoded is None or type(encoded) in (bool, int, str):
            return encoded
        if type(encoded) is not list:
            raise MalformedError(f"a bare {type(encoded).__name__}")
        tag, rest = encoded[0], encoded[1:]
        if tag == "dict":
            pairs = [(self.decode(key, depth + 1), self.decode(item, depth + 1)) for key, item in rest]
            _refuse_collisions([key for key, _ in pairs])
            return dict(pairs)
        if tag in _TAGS:
            items = [self.decode(item, depth + 1) for item in rest]
            if tag in ("set", "frozenset"):
                _refuse_collisions(items)
            return _TAGS[tag](items)
        return _decode_scalar(tag, rest)


def _decode_scalar(tag: object, rest: list[object]) -> object:
    texts = [str(item) for item in rest if type(item) is str]
    match tag:
        case "int":
            return int(texts[0], 16)
        case "float":
            return float.fromhex(texts[0])
        case "complex":
            return complex(float.fromhex(texts[0]), float.fromhex(texts[1]))
        case "bytes":
            return bytes.fromhex(texts[0])
        case "bytearray":
            return bytearray.fromhex(texts[0])
        case "range":
            return range(*(int(bound, 16) for bound in texts))
        case "opaque":
            return Opaque(texts[0])
    raise MalformedError("unknown tag")


def _refuse_collisions(keys: list[object]) -> None:
    if len(keys) > MAX_COLLISIONS:
        [(_, most)] = collections.Counter(map(hash, keys)).most_common(1)
        if most > MAX_COLLISIONS:
            raise MalformedError("too many keys of one hash")
