"""`POST /execute` and `POST /execute/batch`: one program against its tests."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, JsonValue, model_validator

from services.contracts.base import Reply, Request
from services.contracts.verdicts import Assurance, Verdict

MEBIBYTE = 1024 * 1024


class AssertTest(Request):
    """Python source that must run without an exception, usually one `assert`. A bare string on the wire is this."""

    kind: Literal["assert"] = "assert"
    code: str


class CallTest(Request):
    """A function of the program, called with JSON values or Python literals, must return `expected`.

    Of `args`/`args_literal` and of `expected`/`expected_literal` at most one may be given; a literal is Python source
    that `ast.literal_eval` reads, for values that JSON lacks (tuples, sets, bytes, non-string keys).
    """

    kind: Literal["call"] = "call"
    function: str
    args: list[JsonValue] | None = None
    kwargs: dict[str, JsonValue] = Field(default_factory=dict)
    args_literal: str | None = Field(None, examples=["[(1, 2), {3}]"])
    expected: JsonValue = None
    expected_literal: str | None = Field(None, examples=["{1, 2}"])

    @model_validator(mode="after")
    def _one_form_of_each(self) -> "CallTest":
        if self.args is not None and self.args_literal is not None:
            raise ValueError("give args or args_literal, not both")
        if self.expected is not None and self.expected_literal is not None:
            raise ValueError("give expected or expected_literal, not both")
        if "expected" not in self.model_fields_set and self.expected_literal is None:
            raise ValueError("give expected or expected_literal")
        return self


class StdioTest(Request):
    """The whole program, fed `stdin`, must print `expected_stdout` (trailing white space of each line aside)."""

    kind: Literal["stdio"] = "stdio"
    stdin: str = ""
    expected_stdout: str


def _assert_from_string(value: object) -> object:
    return {"kind": "assert", "code": value} if isinstance(value, str) else value


TestCase = Annotated[
    Annotated[AssertTest | CallTest | StdioTest, Field(discriminator="kind")],
    BeforeValidator(_assert_from_string),
]


class Limits(Request):
    """What one test may use; a limit that is left out (null) is the server's default, one above its maximum is 400."""

    wall_s: float | None = Field(None, gt=0, examples=[5.0])
    cpu_s: float | None = Field(None, gt=0, examples=[5.0])
    memory_bytes: int | None = Field(None, gt=0, examples=[256 * MEBIBYTE])
    output_bytes: int | None = Field(None, ge=0, examples=[65536])
    file_bytes: int | None = Field(None, ge=0, examples=[16 * MEBIBYTE])
    processes: int | None = Field(None, ge=1, examples=[16])


class ExecuteRequest(Request):
    """One program and the tests it must pass.

    The program's order is code, setup, tests: MBPP's setup code uses what the code defines.
    """

    code: str = Field(examples=["def f(x):\n    return x + 1\n"])
    tests: list[TestCase] = Field(examples=[["assert f(1) == 2"]])
    setup: str = Field("", description="Run after `code` and before each test.")
    language: Literal["python"] = "python"
    stop_at_first_failure: bool = Field(False, description="Leave out the tests behind the first that fails.")
    limits: Limits = Limits()


class ProgramError(Reply):
    """The exception that ended a test; `line` counts from 1 in the submitted code, null where it lies elsewhere."""

    type: str
    message: str
    line: int | None = None


class TestResult(Reply):
    """What one test came to. Times in seconds, memory (peak resident) in bytes; null where nothing was run."""

    __test__ = False  # not a test class, whatever pytest makes of its name

    verdict: Verdict
    assurance: Assurance
    wall_s: float = 0.0
    cpu_s: float | None = None
    memory_bytes: int | None = None
    stdout: str = ""
    stderr: str = ""
    truncated: bool = Field(False, description="True where the output was cut at `output_bytes`.")
    error: ProgramError | None = None


class ExecuteReply(Reply):
    """The verdict of one program: the first test verdict that is not `accepted`, in test order."""

    verdict: Verdict
    passed: int = Field(ge=0)
    total: int = Field(ge=0)
    wall_s: float = Field(ge=0)
    isolation: str = Field(description="The layers that were in force, e.g. `namespaces+seccomp+rlimits`.")
    tests: list[TestResult]


class ExecuteBatchRequest(Request):
    """Many programs at once."""

    programs: list[ExecuteRequest]


class ExecuteBatchReply(Reply):
    """The replies, in the order of the programs; one bad program spoils no other."""

    results: list[ExecuteReply]
