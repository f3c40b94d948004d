"""What made a job's labels: the releases that decide which candidates there are and what the filters see."""

import platform
from importlib.metadata import version


def versions() -> dict[str, str]:
    """Of Linewise, of Python (whose bytecode tells equivalent mutants) and of LibCST."""
    return {"linewise": version("linewise"), "python": platform.python_version(), "libcst": version("libcst")}
