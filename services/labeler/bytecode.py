"""Tells whether two programs are the same to the interpreter: the cheapest filter for equivalent mutants."""

import warnings
from collections.abc import Hashable
from types import CodeType


def essence(code: str) -> Hashable | None:
    """What `code` compiles to, constants and names included, line numbers not; None where it does not compile.

    Two programs with equal essences do the same. The converse does not hold.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compiled = compile(code, "<program>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError):
        return None
    return _of_code(compiled)


def _of_code(code: CodeType) -> Hashable:
    return (
        code.co_name,
        code.co_argcount,
        code.co_posonlyargcount,
        code.co_kwonlyargcount,
        code.co_flags,
        code.co_code,
        code.co_exceptiontable,
        code.co_names,
        code.co_varnames,
        code.co_freevars,
        code.co_cellvars,
        tuple(map(_of_constant, code.co_consts)),
    )


def _of_constant(constant: object) -> Hashable:
    """Tells 1, 1.0 and True apart, and 0.0 from -0.0."""
    if isinstance(constant, CodeType):
        return _of_code(constant)
    if isinstance(constant, tuple):
        return ("tuple", *map(_of_constant, constant))
    if isinstance(constant, frozenset):
        return ("frozenset", frozenset(map(_of_constant, constant)))
    return (type(constant).__name__, repr(constant))
