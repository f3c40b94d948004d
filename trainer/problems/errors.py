"""What can be wrong with a problem set, or with any JSONL file that goes into training or evaluation.

    TrainerError
    └── ProblemsError
        ├── ProblemFileError   a file cannot be read; names the file and the line
        └── UnknownSpecError   a spec that means nothing; says what is possible

Each message is one sentence that says what to do.
"""

from pathlib import Path

from trainer.errors import TrainerError


class ProblemsError(TrainerError):
    """A problem set cannot be had."""


class ProblemFileError(ProblemsError):
    """A file of problems, samples or labels cannot be read; `line` counts from 1, null means the whole file."""

    def __init__(self, path: Path, line: int | None, reason: str) -> None:
        where = str(path) if line is None else f"{path}, line {line}"
        super().__init__(f"{where}: {reason}")
        self.path = path
        self.line = line


class UnknownSpecError(ProblemsError):
    """A spec names no problem set, or an option or id that the set does not have."""
