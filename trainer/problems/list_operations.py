"""The vocabulary of the list tasks: operations from a list of integers to another, and reductions to one integer.

Each carries the phrases that describe it and Python source in two forms, an expression over `xs` and a loop. `{k}` in
either is the parameter. Loops fill `ys` (an operation) or `result` (a reduction). Everything is total: an empty list
has a result too.
"""

from collections.abc import Mapping
from dataclasses import dataclass

SMALL = range(2, 6)
"""Parameters that count elements or divide."""
WIDE = range(1, 10)
"""Parameters that numbers are moved by or compared with."""


@dataclass(frozen=True, slots=True)
class Part:
    """An operation or a reduction; `loop` are the lines that replace `expression`, or nothing where none is natural."""

    name: str
    phrases: tuple[str, ...]
    expression: str
    loop: tuple[str, ...] = ()
    parameters: range = range(1)


def _map(name: str, item: str, *phrases: str, k: range = range(1)) -> Part:
    return Part(name, phrases, f"[{item} for x in xs]", ("for x in xs:", f"    ys.append({item})"), k)


def _map_indexed(name: str, item: str, *phrases: str) -> Part:
    loop = ("for i, x in enumerate(xs):", f"    ys.append({item})")
    return Part(name, phrases, f"[{item} for i, x in enumerate(xs)]", loop)


def _filter(name: str, condition: str, *phrases: str, k: range = range(1)) -> Part:
    loop = ("for x in xs:", f"    if {condition}:", "        ys.append(x)")
    return Part(name, phrases, f"[x for x in xs if {condition}]", loop, k)


def _whole(name: str, expression: str, *phrases: str, k: range = range(1), loop: tuple[str, ...] = ()) -> Part:
    return Part(name, phrases, expression, loop, k)


def _total(name: str, item: str, expression: str, *phrases: str) -> Part:
    return Part(name, phrases, expression, ("for x in xs:", f"    result += {item}"))


def _count(name: str, condition: str, *phrases: str, k: range = range(1)) -> Part:
    loop = ("for x in xs:", f"    if {condition}:", "        result += 1")
    return Part(name, phrases, f"sum(1 for x in xs if {condition})", loop, k)


OPERATIONS: tuple[Part, ...] = (
    _map("add", "x + {k}", "add {k} to every number", "increase each number by {k}", k=WIDE),
    _map("subtract", "x - {k}", "subtract {k} from every number", "decrease each number by {k}", k=WIDE),
    _map("multiply", "x * {k}", "multiply every number by {k}", "scale each number by {k}", k=SMALL),
    _map("divide", "x // {k}", "divide every number by {k} rounding down", "floor-divide each number by {k}", k=SMALL),
    _map(
        "modulo", "x % {k}", "replace every number by its remainder modulo {k}", "take each number modulo {k}", k=SMALL
    ),
    _map("subtract_from", "{k} - x", "subtract every number from {k}", "replace each number x by {k} minus x", k=WIDE),
    _map("double_add", "x * 2 + {k}", "double every number and add {k}", "turn each number x into 2x plus {k}", k=WIDE),
    _map("square", "x * x", "square every number", "multiply each number by itself"),
    _map("negate", "-x", "negate every number", "flip the sign of each number"),
    _map("absolute", "abs(x)", "take the absolute value of every number", "drop the sign of each number"),
    _map(
        "last_digit", "abs(x) % 10", "replace every number by its last digit", "keep just the last digit of each number"
    ),
    _map("cap", "min(x, {k})", "cap every number at {k}", "lower the numbers above {k} to {k}", k=WIDE),
    _map("raise_to", "max(x, {k})", "raise the numbers below {k} to {k}", "make every number at least {k}", k=WIDE),
    _map("halve_even", "x // 2 if x % 2 == 0 else x", "halve the even numbers", "divide the even numbers by two"),
    _map("negate_odd", "-x if x % 2 == 1 else x", "negate the odd numbers", "flip the sign of the odd numbers"),
    _map("zero_negative", "x if x > 0 else 0", "replace the negative numbers by 0", "set numbers below zero to 0"),
    _map_indexed("add_index", "x + i", "add to every number its index", "increase each number by its position from 0"),
    _map_indexed(
        "times_index", "x * i", "multiply every number by its index", "scale each number by its position from 0"
    ),
    _filter("above", "x > {k}", "keep the numbers greater than {k}", "drop the numbers that are at most {k}", k=WIDE),
    _filter("below", "x < {k}", "keep the numbers less than {k}", "drop the numbers that are at least {k}", k=WIDE),
    _filter("even", "x % 2 == 0", "keep the even numbers", "remove the odd numbers"),
    _filter("odd", "x % 2 == 1", "keep the odd numbers", "remove the even numbers"),
    _filter(
        "multiples", "x % {k} == 0", "keep the multiples of {k}", "keep the numbers divisible by {k}", k=range(3, 6)
    ),
    _filter("no_multiples", "x % {k} != 0", "remove the multiples of {k}", "drop all divisible by {k}", k=range(3, 6)),
    _filter("positive", "x > 0", "keep the positive numbers", "drop zero and the negative numbers"),
    _filter("negative", "x < 0", "keep the negative numbers", "drop zero and the positive numbers"),
    _whole("reverse", "xs[::-1]", "reverse the list", "put the list in the opposite order"),
    _whole("ascending", "sorted(xs)", "sort the list", "order the numbers from smallest to largest"),
    _whole("descending", "sorted(xs, reverse=True)", "sort the list downwards", "order from largest to smallest"),
    _whole(
        "distinct",
        "list(dict.fromkeys(xs))",
        "remove the duplicates",
        "keep the first of equal numbers",
        loop=("for x in xs:", "    if x not in ys:", "        ys.append(x)"),
    ),
    _whole("first", "xs[:{k}]", "keep the first {k} numbers", "take {k} numbers from the front", k=SMALL),
    _whole("drop_first", "xs[{k}:]", "drop the first {k} numbers", "remove {k} numbers from the front", k=range(1, 4)),
    _whole("last", "xs[-{k}:]", "keep the last {k} numbers", "take {k} numbers from the end", k=SMALL),
    _whole("drop_last", "xs[:-{k}]", "drop the last {k} numbers", "remove {k} numbers from the end", k=range(1, 4)),
    _whole("every_other", "xs[::2]", "keep every other number", "keep the numbers at even indices"),
    _whole("odd_indices", "xs[1::2]", "keep the numbers at odd indices", "keep every other number from the second on"),
    _whole(
        "rotate", "xs[{k}:] + xs[:{k}]", "rotate the list left by {k}", "move the first {k} to the end", k=range(1, 4)
    ),
    _whole("append", "xs + [{k}]", "append {k}", "put {k} at the end of the list", k=WIDE),
    _whole("prepend", "[{k}] + xs", "prepend {k}", "put {k} at the front of the list", k=WIDE),
    _whole(
        "differences",
        "[b - a for a, b in zip(xs, xs[1:])]",
        "replace the list by the differences of neighbours",
        "subtract from every number the one before it",
        loop=("for a, b in zip(xs, xs[1:]):", "    ys.append(b - a)"),
    ),
    _whole(
        "running_sums",
        "[sum(xs[:i + 1]) for i in range(len(xs))]",
        "replace the list by its running sums",
        "add to each number all that are before it",
        loop=("for i in range(len(xs)):", "    ys.append(sum(xs[:i + 1]))"),
    ),
)

REDUCTIONS: tuple[Part, ...] = (
    _total("sum", "x", "sum(xs)", "the sum", "the total of all numbers"),
    _total("sum_of_squares", "x * x", "sum(x * x for x in xs)", "the sum of the squares", "the total of all squares"),
    _total("sum_of_sizes", "abs(x)", "sum(abs(x) for x in xs)", "the sum of the absolute values", "the total size"),
    _count("count_even", "x % 2 == 0", "how many are even", "the number of even numbers"),
    _count("count_positive", "x > 0", "how many are positive", "the number of positive numbers"),
    _count("count_above", "x > {k}", "how many are greater than {k}", "the count of numbers above {k}", k=WIDE),
    _whole("length", "len(xs)", "the length of the list", "how many numbers are left"),
    _whole("count_distinct", "len(set(xs))", "how many distinct numbers there are", "the number of different values"),
    _whole("maximum", "max(xs, default=0)", "the largest number or 0", "the maximum, 0 if there is none"),
    _whole("minimum", "min(xs, default=0)", "the smallest number or 0", "the minimum, 0 if there is none"),
    _whole("spread", "max(xs) - min(xs) if xs else 0", "the largest minus the smallest", "the spread of the numbers"),
    _whole(
        "first_number", "xs[0] if xs else 0", "the first number or 0", "the number at the front, 0 if there is none"
    ),
    _whole("last_number", "xs[-1] if xs else 0", "the last number or 0", "the number at the end, 0 if there is none"),
)

SLIPS: Mapping[str, str] = {
    "add": "[x + {k} + 1 for x in xs]",
    "subtract": "[{k} - x for x in xs]",
    "multiply": "[x + {k} for x in xs]",
    "divide": "[x % {k} for x in xs]",
    "modulo": "[x // {k} for x in xs]",
    "subtract_from": "[x - {k} for x in xs]",
    "double_add": "[(x + {k}) * 2 for x in xs]",
    "square": "[x + x for x in xs]",
    "negate": "[abs(x) for x in xs]",
    "absolute": "[-x for x in xs]",
    "last_digit": "[abs(x) // 10 for x in xs]",
    "cap": "[max(x, {k}) for x in xs]",
    "raise_to": "[min(x, {k}) for x in xs]",
    "halve_even": "[x // 2 if x % 2 == 1 else x for x in xs]",
    "negate_odd": "[-x if x % 2 == 0 else x for x in xs]",
    "zero_negative": "[0 if x > 0 else x for x in xs]",
    "add_index": "[x + i + 1 for i, x in enumerate(xs)]",
    "times_index": "[x * (i + 1) for i, x in enumerate(xs)]",
    "above": "[x for x in xs if x >= {k}]",
    "below": "[x for x in xs if x <= {k}]",
    "even": "[x for x in xs if x % 2 == 1]",
    "odd": "[x for x in xs if x % 2 == 0]",
    "multiples": "[x for x in xs if x % {k} == 1]",
    "no_multiples": "[x for x in xs if x % {k} == 0]",
    "positive": "[x for x in xs if x >= 0]",
    "negative": "[x for x in xs if x <= 0]",
    "reverse": "sorted(xs, reverse=True)",
    "ascending": "xs[::-1]",
    "descending": "sorted(xs)",
    "distinct": "sorted(set(xs))",
    "first": "xs[:{k} - 1]",
    "drop_first": "xs[{k} + 1:]",
    "last": "xs[{k}:]",
    "drop_last": "xs[:{k}]",
    "every_other": "xs[1::2]",
    "odd_indices": "xs[::2]",
    "rotate": "xs[-{k}:] + xs[:-{k}]",
    "append": "[{k}] + xs",
    "prepend": "xs + [{k}]",
    "differences": "[a - b for a, b in zip(xs, xs[1:])]",
    "running_sums": "[sum(xs[:i]) for i in range(len(xs))]",
    "sum": "max(xs, default=0)",
    "sum_of_squares": "sum(xs) * sum(xs)",
    "sum_of_sizes": "abs(sum(xs))",
    "count_even": "sum(x for x in xs if x % 2 == 0)",
    "count_positive": "sum(1 for x in xs if x >= 0)",
    "count_above": "sum(1 for x in xs if x >= {k})",
    "length": "len(set(xs))",
    "count_distinct": "len(xs)",
    "maximum": "min(xs, default=0)",
    "minimum": "max(xs, default=0)",
    "spread": "max(xs) + min(xs) if xs else 0",
    "first_number": "xs[-1] if xs else 0",
    "last_number": "xs[0] if xs else 0",
}
"""By a part's name, an expression that someone in a hurry writes in its place: what `lists` makes bad habits of."""
