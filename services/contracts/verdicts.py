"""What an execution came to."""

from enum import StrEnum


class Verdict(StrEnum):
    """The outcome of running one program against one test, or against all of them.

    `internal_error` is a failure of ours: it is never a reward, a label or a zero.
    """

    ACCEPTED = "accepted"
    WRONG_ANSWER = "wrong_answer"
    COMPILE_ERROR = "compile_error"
    RUNTIME_ERROR = "runtime_error"
    TIME_LIMIT_EXCEEDED = "time_limit_exceeded"
    MEMORY_LIMIT_EXCEEDED = "memory_limit_exceeded"
    OUTPUT_LIMIT_EXCEEDED = "output_limit_exceeded"
    INTERNAL_ERROR = "internal_error"


class Assurance(StrEnum):
    """How far a verdict can be trusted.

    `high`: the expected value never entered the candidate's process and the judge compared outside.
    `low`: the test itself had to be trusted to run beside the candidate.
    """

    HIGH = "high"
    LOW = "low"
