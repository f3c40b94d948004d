"""What a task came to, on its way to the client: the reply as JSON, read by nobody here, and what is counted of it.

A reply is made by the worker that judged, and passes the service as bytes: to read it there only to write it once more
would be done under the one interpreter lock that also dispatches (docs/adr/0019).
"""

import marshal
from collections import Counter
from dataclasses import astuple, dataclass

from services.contracts import ExecuteReply, RunCodeReply


@dataclass(frozen=True, slots=True)
class Done:
    """`outcome` is the program's verdict, or the status of a run; `tests` are verdict, assurance and how many had both.

    `children` is how many processes it took.
    """

    body: bytes
    outcome: str
    isolation: str
    tests: tuple[tuple[str, str, int], ...]
    children: int

    @classmethod
    def examined(cls, reply: ExecuteReply, children: int) -> "Done":
        """A program before its tests."""
        counts = Counter((test.verdict.value, test.assurance.value) for test in reply.tests)
        tests = tuple((verdict, assurance, count) for (verdict, assurance), count in counts.items())
        return cls(reply.model_dump_json().encode(), reply.verdict.value, reply.isolation, tests, children)

    @classmethod
    def ran(cls, reply: RunCodeReply, isolation: str, children: int) -> "Done":
        """A program run whole."""
        return cls(reply.model_dump_json().encode(), reply.status.value, isolation, (), children)

    def pack(self) -> bytes:
        """It as bytes."""
        return marshal.dumps(astuple(self))

    @classmethod
    def unpack(cls, message: bytes) -> "Done":
        """What `pack` made into `message`, in a process of the same Python."""
        return cls(*marshal.loads(message))  # noqa: S302 (the service's own words)
