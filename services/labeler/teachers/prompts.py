"""The prompts, from files: the package's own, or those of the same name in a folder of the operator's.

A template's `$names` are those of `string.Template`: `$prompt` and `$tests` of the problem; for a change also `$code`,
`$place` (such as "line 3"), `$step` (its text) and `$count`; for a completion `$prefix`.
"""

from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Literal

from services.contracts import AssertTest, Problem, Step
from services.kit.errors import StartupError

Name = Literal["mutate", "refactor", "complete"]
_TESTS_SHOWN = 3


class Prompts:
    """Reads each template once.

    Raises:
        StartupError: a file in the operator's folder can't be read, or names what no template has.
    """

    def __init__(self, folder: Path | None = None) -> None:
        names: tuple[Name, ...] = ("mutate", "refactor", "complete")
        self._templates = {name: _template(name, folder) for name in names}

    def change(self, name: Literal["mutate", "refactor"], problem: Problem, code: str, step: Step, count: int) -> str:
        """The message that asks for `count` programs with `step` changed."""
        first, last = step.first_line, step.last_line
        lines = f"line {first}" if first == last else f"lines {first} to {last}"
        return self._templates[name].substitute(
            _about(problem), code=code.rstrip("\n"), place=lines, step=code[step.start : step.end], count=count
        )

    def complete(self, problem: Problem, prefix: str) -> str:
        """The text that a policy is to go on with; it ends in `prefix`."""
        return self._templates["complete"].substitute(_about(problem), prefix="") + prefix


def _template(name: Name, folder: Path | None) -> Template:
    own = folder / f"{name}.txt" if folder else None
    try:
        text = own.read_text("utf-8") if own and own.exists() else _packaged(name)
    except (OSError, UnicodeDecodeError) as error:
        raise StartupError(f"the prompt {own} can't be read: {error}") from error
    template = Template(text)
    known = {"prompt", "tests"} | ({"prefix"} if name == "complete" else {"code", "place", "step", "count"})
    if not template.is_valid() or not set(template.get_identifiers()) <= known:
        raise StartupError(f"the prompt {own} names something else than ${', $'.join(sorted(known))}")
    return template


def _packaged(name: Name) -> str:
    return files("services.labeler.teachers").joinpath("prompts", f"{name}.txt").read_text("utf-8")


def _about(problem: Problem) -> dict[str, str]:
    shown = [test.code for test in problem.tests if isinstance(test, AssertTest)][:_TESTS_SHOWN]
    return {"prompt": problem.prompt.strip(), "tests": "\n".join(shown)}
