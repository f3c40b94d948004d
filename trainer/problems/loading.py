"""From a spec to its problems."""

from collections.abc import Callable
from pathlib import Path

from services.contracts import Problem
from trainer.problems.errors import UnknownSpecError
from trainer.problems.files import read_problems
from trainer.problems.humaneval import FIRST_ID as HUMANEVAL_FIRST
from trainer.problems.humaneval import LAST_ID as HUMANEVAL_LAST
from trainer.problems.humaneval import humaneval
from trainer.problems.lists import SPLITS, generate
from trainer.problems.mbpp import FIRST_ID as MBPP_FIRST
from trainer.problems.mbpp import LAST_ID as MBPP_LAST
from trainer.problems.mbpp import mbpp
from trainer.problems.mbpp_plus import mbpp_plus
from trainer.problems.specs import Spec, parse_ranges, parse_spec

SPEC_HELP = (
    "mbpp or mbpp:601-974 (ranges joined by commas; ?shown=1 asserts in the prompt), mbpp-plus or "
    "mbpp-plus:1-100 (those of the ids that MBPP+ has), humaneval or humaneval:0-19, "
    "lists:train, lists:validation or lists:test (?count=400&seed=0&operations=2-3&loops=30&slips=0&tests=8), "
    "or the path of a JSONL file with a problem a line"
)


def load_problems(spec: str) -> list[Problem]:
    """The problems that `spec` names, always the same for the same spec; `SPEC_HELP` says what is possible.

    Raises:
        UnknownSpecError: the spec names no set, or an id or option that the set does not have.
        ProblemFileError: a file that cannot be read as problems.
    """
    path = Path(spec)
    if path.is_file() or path.suffix in (".jsonl", ".json"):
        return read_problems(path)
    parsed = parse_spec(spec)
    if parsed is None or parsed.name not in _LOADERS:
        raise UnknownSpecError(f"no problem set {spec!r}; possible are {SPEC_HELP}")
    return _LOADERS[parsed.name](parsed)


def license_of(spec: str) -> str | None:
    """The SPDX name of the licence of the problems that `spec` names; None for a file, whose owner knows it."""
    parsed = None if Path(spec).is_file() else parse_spec(spec)
    return _LICENSES.get(parsed.name) if parsed else None


def _load_mbpp(spec: Spec) -> list[Problem]:
    spec.expect_options(["shown"])
    problems = mbpp(spec.integer("shown", 1, least=0, most=3))
    return _selected(problems, spec.selection, MBPP_FIRST, MBPP_LAST)


def _load_mbpp_plus(spec: Spec) -> list[Problem]:
    spec.expect_options([])
    if spec.selection is None:
        return list(mbpp_plus().values())
    numbers = parse_ranges(spec.selection, first=MBPP_FIRST, last=MBPP_LAST)
    problems = [mbpp_plus()[number] for number in numbers if number in mbpp_plus()]
    if not problems:
        raise UnknownSpecError(f"{spec.text!r}: MBPP+ has none of these ids")
    return problems


def _load_humaneval(spec: Spec) -> list[Problem]:
    spec.expect_options([])
    return _selected(humaneval(), spec.selection, HUMANEVAL_FIRST, HUMANEVAL_LAST)


def _load_lists(spec: Spec) -> list[Problem]:
    spec.expect_options(["count", "seed", "operations", "loops", "slips", "tests"])
    for split in SPLITS:
        if spec.selection == split:
            return generate(
                split,
                spec.integer("count", 400, least=1),
                seed=spec.integer("seed", 0),
                operations=_operations(spec.options.get("operations", "2-3")),
                loops=spec.integer("loops", 30, most=100) / 100,
                slips=spec.integer("slips", 0, most=100) / 100,
                tests=spec.integer("tests", 8, least=4),
            )
    raise UnknownSpecError(f"{spec.text!r}: say which split, lists:{', lists:'.join(SPLITS)}")


def _operations(text: str) -> tuple[int, int]:
    numbers = parse_ranges(text, first=1, last=8)
    return min(numbers), max(numbers)


def _selected(problems: dict[int, Problem], selection: str | None, first: int, last: int) -> list[Problem]:
    if selection is None:
        return list(problems.values())
    return [problems[number] for number in parse_ranges(selection, first=first, last=last)]


_LOADERS: dict[str, Callable[[Spec], list[Problem]]] = {
    "mbpp": _load_mbpp,
    "mbpp-plus": _load_mbpp_plus,
    "humaneval": _load_humaneval,
    "lists": _load_lists,
}

_LICENSES = {
    "mbpp": "CC-BY-4.0",
    "mbpp-plus": "Apache-2.0 AND CC-BY-4.0",
    "humaneval": "MIT",
    "lists": "Apache-2.0",
}
"""As `data/README.md` has them; the lists are generated here, under our own."""
