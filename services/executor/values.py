"""The language in which values leave a candidate's process: exact builtin types, and nothing that runs.

`encode` runs inside, `decode` outside. The wire form is JSON: null, booleans, small integers and text stand for
themselves, all else is a list that begins with a tag. `decode` rebuilds builtin types alone, whatever the bytes say: no
pickle, no eval, no class of the candidate's. A value of any other type travels as its type's name and equals nothing.

A subclass of a builtin type is sent as that type's own data where it leaves equality alone (a namedtuple, a
`defaultdict`), a scalar of numpy's as its `item()`; one with an equality of its own is opaque, so an `__eq__` that
always says True is a wrong answer. Types are read through the slots of `type`, which no metaclass can shadow.
Standard library only: this module is loaded beside the candidate.
"""

import collections
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any, TypeAlias

Encoded: TypeAlias = "bool | int | str | list[Encoded] | None"

MAX_DEPTH = 100
"""Containers in containers; a cycle is deeper than any bound."""
MAX_NODES = 200_000
"""Values in one value, itself included."""
MAX_COLLISIONS = 200
"""Keys of one hash in one set or dict: each costs a comparison with all before it."""
_SMALL = 2**63
_NAME_CHARACTERS = 200

_TAGS: dict[str, Any] = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}
_SCALARS: tuple[Any, ...] = (bool, int, float, complex, str, bytes, bytearray)
_BASES: tuple[Any, ...] = (*_SCALARS, *_TAGS.values(), dict)
_TRUSTED_EQUALITY = (OrderedDict, Counter)
_order_of, _names_in, _name_of, _module_of = (
    type.__dict__[name].__get__ for name in ("__mro__", "__dict__", "__name__", "__module__")
)


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
        encoded: Encoded = _encode(value, 0, [MAX_NODES])
    except _TooLargeError:
        return _opaque(type(value), " that is too large")
    return encoded


def _encode(value: Any, depth: int, left: list[int]) -> Any:
    """`left` holds one number: how many values may still come."""
    kind = type(value)
    if kind is int:
        return value if -_SMALL < value < _SMALL else ["int", f"{value:x}"]
    if kind is str:
        return value if value.isascii() else _encode_text(value)
    if value is None or kind is bool:
        return value
    if kind is float:
        return ["float", value.hex()]
    if kind is list or kind is tuple or kind is set or kind is frozenset:
        items = list(value)
        _spend(len(items), depth, left)
        return [kind.__name__, *[_encode(item, depth + 1, left) for item in items]]
    if kind is dict:
        pairs = list(value.copy().items())  # one snapshot: a thread of the program may be adding to it
        _spend(2 * len(pairs), depth, left)
        return ["dict", *[[_encode(key, depth + 1, left), _encode(item, depth + 1, left)] for key, item in pairs]]
    if kind is complex:
        return ["complex", value.real.hex(), value.imag.hex()]
    if kind is bytes or kind is bytearray:
        return [kind.__name__, value.hex()]
    if kind is range:
        return ["range", f"{value.start:x}", f"{value.stop:x}", f"{value.step:x}"]
    plain = _plain(value, kind)
    return _opaque(kind) if plain is None else _encode(plain, depth, left)


def _spend(values: int, depth: int, left: list[int]) -> None:
    left[0] -= values
    if depth >= MAX_DEPTH or left[0] <= 0:
        raise _TooLargeError


def _encode_text(text: str) -> Encoded:
    """Text as it is, or as bytes where it has surrogates: JSON would make one character of two of them."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return ["str", text.encode("utf-8", "surrogatepass").hex()]
    return text


def _opaque(kind: type, why: str = "") -> Encoded:
    return ["opaque", _name_of(kind)[:_NAME_CHARACTERS] + why]


def _plain(value: Any, kind: type) -> Any:
    """The data of an instance of a subclass, as the builtin type itself has it; None where it does not travel."""
    order = _order_of(kind)
    if any(_is_numpys_scalar(each) for each in order):
        return _item(value)
    base = next((each for each in order if any(each is known for known in _BASES)), None)
    if base is None or (_has_own_equality(order, base) and not any(kind is each for each in _TRUSTED_EQUALITY)):
        return None
    return _copy(base)(value)


def _has_own_equality(order: tuple[type, ...], base: type) -> bool:
    above = order[: next(at for at, each in enumerate(order) if each is base)]
    return any("__eq__" in _names_in(each) for each in above)


def _copy(base: Any) -> Callable[[Any], Any]:
    """A function that makes a `base` of a subclass's instance by `base`'s own methods."""
    if base is dict:
        return lambda value: dict(list(dict.items(value)))
    if base in _TAGS.values():
        return lambda value: base(list(base.__iter__(value)))
    names = {int: "__int__", float: "__float__", complex: "__complex__", str: "__str__", bytes: "__bytes__"}
    return getattr(base, names[base]) if base in names else lambda value: base(memoryview(value))


def _is_numpys_scalar(kind: type) -> bool:
    if _name_of(kind) != "generic":
        return False
    module = _module_of(kind)
    return type(module) is str and module == "numpy"


def _item(value: Any) -> Any:
    """A scalar of numpy's as Python's own; a truth as 0 or 1, since it equals `True` and is not it."""
    item = value.item()
    if type(item) is bool:
        return int(item)
    return item if any(type(item) is kind for kind in _SCALARS) else None


def decode(encoded: object) -> object:
    """The value that `encoded` stands for.

    Raises:
        MalformedError: `encode` did not write this.
    """
    try:
        return _decode(encoded, 0, [MAX_NODES])
    except (TypeError, ValueError, IndexError, OverflowError) as error:
        raise MalformedError(f"not an encoded value: {type(error).__name__}") from error


def _decode(encoded: Any, depth: int, left: list[int]) -> object:
    kind = type(encoded)
    if kind is int:
        return encoded if -_SMALL < encoded < _SMALL else _refuse("a bare large int")
    if kind is str:
        return encoded if encoded.isascii() else encoded.encode().decode()
    if encoded is None or kind is bool:
        return encoded
    if kind is not list:
        _refuse(f"a bare {kind.__name__}")
    tag, *rest = encoded
    if type(tag) is not str:
        _refuse("no tag")
    if tag not in _TAGS and tag != "dict":
        return _decode_scalar(tag, rest)
    left[0] -= len(rest) * (1 + (tag == "dict"))
    if depth >= MAX_DEPTH or left[0] <= 0:
        _refuse("too deep or too large")
    if tag == "dict":
        pairs = [(_decode(key, depth + 1, left), _decode(item, depth + 1, left)) for key, item in map(_pair, rest)]
        _refuse_collisions([key for key, _ in pairs])
        return _all_of(rest, dict(pairs))
    items = [_decode(item, depth + 1, left) for item in rest]
    if tag in ("list", "tuple"):
        return _TAGS[tag](items)
    _refuse_collisions(items)
    return _all_of(rest, _TAGS[tag](items))


def _pair(encoded: Any) -> list[Any]:
    return encoded if type(encoded) is list else _refuse("no pair")


def _all_of(rest: list[Any], decoded: Any) -> Any:
    return decoded if len(decoded) == len(rest) else _refuse("a key twice")


def _decode_scalar(tag: str, rest: list[Any]) -> object:
    if not all(type(item) is str for item in rest):
        _refuse("no text")
    match tag, rest:
        case "opaque", [name]:
            return Opaque(name)
        case "int", [digits]:
            value: Any = int(digits, 16)
        case "float", [digits]:
            value = float.fromhex(digits)
            return value if value.hex() == digits else _refuse("not as it is written")
        case "complex", [real, imaginary]:
            value = complex(float.fromhex(real), float.fromhex(imaginary))
        case "str", [digits]:
            value = bytes.fromhex(digits).decode("utf-8", "surrogatepass")
        case "bytes", [digits]:
            value = bytes.fromhex(digits)
        case "bytearray", [digits]:
            value = bytearray.fromhex(digits)
        case "range", [start, stop, step]:
            value = range(int(start, 16), int(stop, 16), int(step, 16))
        case _:
            _refuse("unknown tag")
    return value if encode(value) == [tag, *rest] else _refuse("not as it is written")


def _refuse(reason: str) -> Any:
    raise MalformedError(reason)


def _refuse_collisions(keys: list[object]) -> None:
    if len(keys) > MAX_COLLISIONS:
        [(_, most)] = collections.Counter(map(hash, keys)).most_common(1)
        if most > MAX_COLLISIONS:
            _refuse("too many keys of one hash")
