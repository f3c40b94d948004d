"""Each verdict from a real child, told apart, with the error and the line where there is one."""

import time
from collections.abc import Callable

from services.contracts import ExecuteReply, Verdict

Judge = Callable[..., ExecuteReply]
SPIN = "while True:\n    pass\n"


def verdicts(reply: ExecuteReply) -> list[str]:
    return [test.verdict.value for test in reply.tests]


def test_every_kind_of_test_in_one_program(judge: Judge) -> None:
    code = "def f(x):\n    return x + 1\n\nif __name__ == '__main__':\n    print(f(int(input())), '  ')\n"
    call = {"kind": "call", "function": "f", "args": [1], "expected": 2}
    literal = {"kind": "call", "function": "sorted", "args_literal": "[{3, 1}]", "expected_literal": "[1, 3]"}
    stdio = {"kind": "stdio", "stdin": "3\n", "expected_stdout": "4"}
    reply = judge(code, "assert f(1) == 2", call, stdio, literal)
    assert verdicts(reply) == ["accepted"] * 4
    assert (reply.verdict, reply.passed, reply.total) == (Verdict.ACCEPTED, 4, 4)


def test_a_wrong_value_is_a_wrong_answer(judge: Judge) -> None:
    reply = judge("def f(x):\n    return x", "assert f(1) == 1", "assert f(1) == 2", "assert f(2) == 2")
    assert verdicts(reply) == ["accepted", "wrong_answer", "accepted"]
    assert reply.verdict is Verdict.WRONG_ANSWER


def test_a_failed_assert_that_ran_inside_is_a_wrong_answer(judge: Judge) -> None:
    test = "for x in [1, 2]:\n    assert f(x) == 1"
    reply = judge("def f(x):\n    return x", test)
    assert verdicts(reply) == ["wrong_answer"]


def test_an_assertion_of_the_program_is_its_own_failure(judge: Judge) -> None:
    reply = judge("def f(x):\n    assert x > 1\n    return x", "assert f(1) == 1")
    [test] = reply.tests
    assert test.verdict is Verdict.RUNTIME_ERROR
    assert test.error is not None
    assert (test.error.type, test.error.line) == ("AssertionError", 2)


def test_an_exception_names_type_message_and_line(judge: Judge) -> None:
    code = "def g(x):\r\n\treturn 1 // x\r\ndef f(x):\r\n\treturn g(x)\r\n"
    error = judge(code, "assert f(0) == 1").tests[0].error
    assert error is not None
    assert (error.type, error.line) == ("ZeroDivisionError", 2)
    assert "division" in error.message


def test_an_exception_while_loading_is_every_tests_verdict(judge: Judge) -> None:
    reply = judge("import nothing_of_this_name\n", "assert f(0) == 1", "assert f(1) == 1")
    assert verdicts(reply) == ["runtime_error"] * 2
    assert reply.tests[1].error is not None
    assert reply.tests[1].error.type == "ModuleNotFoundError"


def test_code_that_does_not_compile_runs_nothing(judge: Judge) -> None:
    stdio = {"kind": "stdio", "expected_stdout": "x\n"}
    reply = judge("print('x')\ndef f(:\n    pass\n", "assert f(1) == 1", stdio)
    assert verdicts(reply) == ["compile_error"] * 2
    error = reply.tests[0].error
    assert error is not None
    assert (error.type, error.line) == ("SyntaxError", 2)
    assert reply.tests[0].stdout == ""


def test_source_with_a_nul_byte_or_a_lone_surrogate_does_not_compile(judge: Judge) -> None:
    assert verdicts(judge("x = 1\x00", "assert x == 1")) == ["compile_error"]
    assert verdicts(judge("x = '\ud800'", "assert x == 1")) == ["compile_error"]


def test_an_abyss_of_nesting_does_not_compile(judge: Judge) -> None:
    for code in ("(" * 100_000, "-" * 100_000 + "1", "x = " + "[" * 150 + "]" * 150 + "\n" + "(" * 300):
        assert judge(code, "assert x == 1").verdict is Verdict.COMPILE_ERROR


def test_wall_limit_is_for_each_test_and_the_rest_go_on(judge: Judge) -> None:
    code = "import time\ndef f(x):\n    if x == 1:\n        time.sleep(60)\n    return x\n"
    reply = judge(code, "assert f(0) == 0", "assert f(1) == 1", "assert f(2) == 2", wall_s=0.3)
    assert verdicts(reply) == ["accepted", "time_limit_exceeded", "accepted"]
    assert 0.3 <= reply.tests[1].wall_s < 2


def test_cpu_limit_below_the_wall_limit_ends_a_loop(judge: Judge) -> None:
    reply = judge("def f():\n    while True:\n        pass", "assert f() == 1", cpu_s=0.2, wall_s=20)
    assert verdicts(reply) == ["time_limit_exceeded"]
    assert reply.tests[0].cpu_s is not None
    assert reply.tests[0].cpu_s >= 0.2


def test_sleeping_costs_no_processor_time(judge: Judge) -> None:
    code = "import time\ndef f():\n    time.sleep(0.4)\n    return 1"
    reply = judge(code, "assert f() == 1", cpu_s=0.1, wall_s=20)
    assert verdicts(reply) == ["accepted"]
    assert reply.tests[0].wall_s >= 0.4


def test_endless_loading_is_a_time_out_once(judge: Judge) -> None:
    started = time.monotonic()
    reply = judge(SPIN, *["assert f() == 1"] * 20, wall_s=0.3)
    assert verdicts(reply) == ["time_limit_exceeded"] * 20
    assert time.monotonic() - started < 3


def test_memory_limit_in_one_test_spares_the_next(judge: Judge) -> None:
    code = "def f(x):\n    return len(bytearray(x))\n"
    reply = judge(code, "assert f(1) == 1", f"assert f({2**30}) == 1", "assert f(2) == 2")
    assert verdicts(reply) == ["accepted", "memory_limit_exceeded", "accepted"]


def test_memory_limit_while_loading(judge: Judge) -> None:
    assert judge("x = [0] * 10**9", "assert x == 1").verdict is Verdict.MEMORY_LIMIT_EXCEEDED


def test_output_limit_cuts_and_spares_the_next(judge: Judge) -> None:
    code = "def f(x):\n    print('y' * x)\n    return x\n"
    reply = judge(code, "assert f(1) == 1", "assert f(50000) == 50000", "assert f(3) == 3", output_bytes=1000)
    assert verdicts(reply) == ["accepted", "output_limit_exceeded", "accepted"]
    assert reply.tests[1].truncated
    assert reply.tests[1].stdout == "y" * 1000


def test_output_belongs_to_the_test_that_printed_it(judge: Judge) -> None:
    code = "import sys\nprint('load')\ndef f(x):\n    print(x)\n    print(-x, file=sys.stderr)\n    return x\n"
    reply = judge(code, *[f"assert f({x}) == {x}" for x in range(50)])
    assert [test.stdout for test in reply.tests] == ["load\n0\n", *(f"{x}\n" for x in range(1, 50))]
    assert [test.stderr for test in reply.tests] == [f"{-x}\n" for x in range(50)]


def test_a_death_in_one_test_leaves_the_others_an_honest_verdict(judge: Judge) -> None:
    code = "import ctypes\ndef f(x):\n    if x % 2:\n        ctypes.string_at(0)\n    return x\n"
    reply = judge(code, *[f"assert f({x}) == {x}" for x in range(4)])
    assert verdicts(reply) == ["accepted", "runtime_error", "accepted", "runtime_error"]
    assert reply.tests[1].error is not None
    assert reply.tests[1].error.type == "SIGSEGV"


def test_stop_at_first_failure_leaves_out_the_rest(judge: Judge) -> None:
    tests = ["assert f(1) == 1", "assert f(1) == 2", "assert f(1) == 1"]
    reply = judge("def f(x):\n    return x", *tests, stop_at_first_failure=True)
    assert verdicts(reply) == ["accepted", "wrong_answer"]
    assert (reply.passed, reply.total) == (1, 3)


def test_setup_runs_behind_the_code_and_before_each_test(judge: Judge) -> None:
    code = "class Node:\n    def __init__(self):\n        self.seen = 0\ndef f(n):\n    n.seen += 1\n    return n.seen"
    assert verdicts(judge(code, *["assert f(node) == 1"] * 2, setup="node = Node()")) == ["accepted"] * 2


def test_stdio_takes_exit_codes_and_output_as_a_shell_does(judge: Judge) -> None:
    stdio = {"kind": "stdio", "stdin": "", "expected_stdout": "a\nb\n"}
    assert judge("import sys\nprint('a ')\nprint('b\\n')\nsys.exit()", stdio).verdict is Verdict.ACCEPTED
    assert judge("print('a')\nprint('b')\nexit(3)", stdio).verdict is Verdict.RUNTIME_ERROR
    assert judge("print('a')\nprint('b')\nraise ValueError", stdio).verdict is Verdict.RUNTIME_ERROR
    assert judge("import atexit\nprint('a')\natexit.register(print, 'b')", stdio).verdict is Verdict.ACCEPTED


def test_no_tests_are_passed_by_a_program_that_runs_to_its_end(judge: Judge) -> None:
    assert judge("x = 1").verdict is Verdict.ACCEPTED
    assert judge("x = 1 / 0").verdict is Verdict.RUNTIME_ERROR
    assert judge("import os\nos._exit(0)").verdict is Verdict.RUNTIME_ERROR
    assert judge("x = (").verdict is Verdict.COMPILE_ERROR


def test_the_standard_library_is_there_and_the_environment_is_not(judge: Judge) -> None:
    code = "import csv, os, sqlite3, unicodedata\ndef f():\n    return dict(os.environ), os.listdir('.')\n"
    assert judge(code, "assert f() == ({}, [])").verdict is Verdict.ACCEPTED


def test_a_set_of_strings_has_the_same_order_in_every_run(judge: Judge) -> None:
    code = "def f():\n    print(list({str(x) for x in range(100)}))\n    return 1"
    assert len({judge(code, "assert f() == 1").tests[0].stdout for _ in range(3)}) == 1
