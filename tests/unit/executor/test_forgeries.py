"""Programs that cheat: each knows a way to a pass that fools a grader which trusts the process it grades.

Every one of them is asked for a value that it does not compute, and none may be accepted.
"""

from collections.abc import Callable

import pytest

from services.contracts import Assurance, ExecuteReply, Verdict

Judge = Callable[..., ExecuteReply]
SECRET = 918273645

ALWAYS_EQUAL = """
class Liar(int):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __lt__(self, other): return True
    def __sub__(self, other): return 0
    def __rsub__(self, other): return 0
    def __round__(self, digits=None): return self
    def __abs__(self): return 0
    def __hash__(self): return 0
    def __repr__(self): return "918273645"
    def __reduce__(self): return (int, (918273645,))
def f(x):
    return Liar(1)
"""

FRAMES = """
import sys, gc
def numbers(found, depth=3):
    if type(found) is int and found > 10**6:
        return found
    if depth and isinstance(found, (list, tuple, set)):
        found = list(found)
    elif depth and isinstance(found, dict):
        found = [*found, *found.values()]
    else:
        return None
    return next((n for n in (numbers(item, depth - 1) for item in found) if n), None)
def f(x):
    frame = sys._getframe()
    while frame:
        for names in (frame.f_locals, frame.f_globals, {"c": frame.f_code.co_consts}):
            for value in list(names.values()):
                if number := numbers(value):
                    return number
        frame = frame.f_back
    for value in gc.get_objects():
        if number := numbers(value, 1):
            return number
"""

MEMORY = """
import ctypes, os
planted = "planted-31415926"
page, most = 4096, 4096
libc = ctypes.CDLL(None)
libc.write.argtypes = ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t
reader, writer = os.pipe()
def regions():
    buffers = [ctypes.create_string_buffer(size) for size in (16, 70_000)]
    anchors = [id(planted), id(page), id(libc), *map(ctypes.addressof, buffers)]
    for start in {anchor // page * page for anchor in anchors}:
        yield b"".join([*reversed(list(mapped(start - page, -page))), *mapped(start, page)])
def mapped(address, step):
    unmapped = 0
    for at in range(address, address + step * most, step):
        if libc.write(writer, at, page) == page:
            yield os.read(reader, page)
        elif (unmapped := unmapped + 1) > 64:
            return
def find(first, second):
    for content in regions():
        parts = content.split(first.encode())
        if any(part.startswith(second.encode()) for part in parts[1:]):
            return first + second
    return "not found"
"""

GUESSER = """
import operator
class Liar(int):
    always = lambda *arguments, **named: True
    nothing = lambda *arguments, **named: 0
    __eq__ = __lt__ = __le__ = __gt__ = __ge__ = __contains__ = startswith = isdigit = equals = always
    __ne__ = lambda *arguments: False
    __sub__ = __rsub__ = __abs__ = __mod__ = find = index = nothing
    __xor__ = difference = lambda *arguments: set()
    count = lambda *arguments: 1
    replace = lambda *arguments: ""
    __hash__ = lambda self: hash("abc")
    __iter__ = lambda self: iter([self])
    __len__ = lambda self: 1
    __class__ = property(lambda self: str)
def f(x):
    return Liar(1)
def distance(x, y):
    return 0
def agrees(x, y):
    return True
"""

CLASSES = """
class Meta(type):
    __instancecheck__ = __subclasscheck__ = __eq__ = lambda *arguments: True
    __hash__ = lambda cls: hash(str)
    __mro__ = property(lambda cls: (str, object))
    __name__ = property(lambda cls: "str")
    def mro(cls):
        return [cls, object]
class Liar(metaclass=Meta):
    __class__ = property(lambda self: str)
    __eq__ = __bool__ = lambda *arguments: True
    __hash__ = lambda self: hash("918273645")
def f(x):
    return [Liar(), {Liar()}, {Liar(): Liar()}, (Liar(),)][x]
"""

SECRET_SEEKER = """
import json, os, sys
def report(passed):
    frame = sys._getframe()
    while frame:
        for value in list(frame.f_locals.values()):
            if secret := getattr(value, "_secret", None):
                os.write(3, b"\\n" + secret + json.dumps(passed).encode() + b"\\n")
                os._exit(0)
        frame = frame.f_back
def f(x):
    report(["test", 0, ANSWER, None, 0.0, 0.0, 1])
"""

REPORTS = """
import os
def f(x):
    for descriptor in range(3, 64):
        try:
            for number in range(3):
                os.write(descriptor, b'\\n["test", %d, [918273645], null, 0.0, 0.0, 1]\\n' % number)
        except OSError:
            pass
    return 1
"""

PATCHED = """
import builtins, math, json, operator
yes = lambda *arguments, **named: True
builtins.isinstance = builtins.all = builtins.any = builtins.abs = yes
math.isclose = operator.eq = yes
json.dumps = lambda *arguments, **named: '["test", 0, [918273645], null, 0.0, 0.0, 1]'
def f(x):
    return 1
"""


@pytest.mark.parametrize(
    "test",
    [
        f"assert f(1) == {SECRET}",
        f"assert {SECRET} == f(1)",
        f"assert not f(1) != {SECRET}",
        f"assert f(1) in [{SECRET}]",
        f"assert abs(f(1) - {SECRET}) < 1e-6",
        f"assert math.isclose(f(1), {SECRET})",
        f"assert f(1) > {SECRET}",
        {"kind": "call", "function": "f", "args": [1], "expected": SECRET},
    ],
)
def test_an_object_that_says_it_equals_everything_is_wrong(judge: Judge, test: object) -> None:
    assert judge(ALWAYS_EQUAL, test).verdict in (Verdict.WRONG_ANSWER, Verdict.RUNTIME_ERROR)


def test_walking_the_frames_and_the_heap_finds_no_expected_value(judge: Judge) -> None:
    assert judge(FRAMES, f"assert f(1) == {SECRET}").verdict is Verdict.WRONG_ANSWER


def test_searching_all_of_the_memory_finds_no_expected_value(judge: Judge) -> None:
    control = "assert find('planted-', '31415926') == 'planted-31415926'"
    attack = "assert find('expected-', '27182818') == 'expected-27182818'"
    reply = judge(MEMORY, control, attack, wall_s=20, cpu_s=20)
    assert [test.verdict for test in reply.tests] == [Verdict.ACCEPTED, Verdict.WRONG_ANSWER]


def test_searching_finds_no_expected_value_of_an_earlier_program(judge: Judge) -> None:
    judge("def find(x):\n    return 'expected-' + str(x)", "assert find(27182818) == 'expected-27182818'")
    reply = judge(MEMORY, "assert find('expected-', '27182818') == 'expected-27182818'", wall_s=20, cpu_s=20)
    assert reply.verdict is Verdict.WRONG_ANSWER


def test_reports_written_without_the_secret_are_not_believed(judge: Judge) -> None:
    reply = judge(REPORTS, f"assert f(1) == {SECRET}", f"assert f(2) == {SECRET}")
    assert [test.verdict for test in reply.tests] == [Verdict.WRONG_ANSWER] * 2


def test_patching_builtins_and_libraries_moves_no_comparison(judge: Judge) -> None:
    tests = [f"assert f(1) == {SECRET}", f"assert math.isclose(f(1), {SECRET})", "assert isinstance(f(1), str)"]
    reply = judge(PATCHED, *tests)
    assert all(test.verdict is not Verdict.ACCEPTED for test in reply.tests)


LEAVING = {
    "os._exit": "import os\nos._exit(0)",
    "sys.exit": "import sys\nsys.exit(0)",
    "SystemExit": "raise SystemExit",
    "quit": "quit()",
    "exec": "import os\nos.execv('/bin/true', ['true'])",
    "kill": "import os\nos.kill(os.getpid(), 9)",
    "excepthook": "import sys\nsys.excepthook = lambda *error: sys.exit(0)\nraise ValueError",
    "atexit": "import atexit, os\natexit.register(os._exit, 0)\nraise SystemExit(0)",
    "thread": "import os, threading\nthreading.Thread(target=os._exit, args=(0,)).start()\nwhile True: pass",
}
CHECKED_INSIDE = "while True:\n    assert f(1) == 918273645\n    break"


@pytest.mark.parametrize(
    "test", [f"assert f(1) == {SECRET}", CHECKED_INSIDE, "assert f(1)"], ids=["high", "low", "truth"]
)
@pytest.mark.parametrize("body", LEAVING.values(), ids=LEAVING.keys())
def test_leaving_the_process_is_no_pass(judge: Judge, body: str, test: str) -> None:
    inside = "def f(x):\n" + "".join(f"    {line}\n" for line in body.splitlines())
    for code in (inside, body):
        reply = judge(code, test)
        assert reply.verdict in (Verdict.RUNTIME_ERROR, Verdict.WRONG_ANSWER)


def test_a_result_written_before_leaving_is_no_pass(judge: Judge) -> None:
    reply = judge(REPORTS.replace("    return 1", "    os._exit(0)"), CHECKED_INSIDE)
    assert reply.verdict is Verdict.RUNTIME_ERROR
    assert reply.tests[0].assurance is Assurance.LOW


def test_forking_and_reporting_twice_answers_each_test_once(judge: Judge) -> None:
    code = "import os\ndef f(x):\n    os.fork()\n    return 1\n"
    reply = judge(code, "assert f(1) == 1", f"assert f(2) == {SECRET}", "assert f(3) == 1")
    assert [test.verdict.value for test in reply.tests] == ["accepted", "wrong_answer", "accepted"]


def test_printing_a_prefix_of_the_expected_output_is_wrong(judge: Judge) -> None:
    stdio = {"kind": "stdio", "stdin": "", "expected_stdout": "1\n2\n3\n"}
    for code in ("print(1)", "print('1\\n2')", "import os\nos.write(1, b'1\\n2\\n')\nos._exit(0)", ""):
        assert judge(code, stdio).verdict is Verdict.WRONG_ANSWER


def test_hiding_a_failure_behind_more_values_is_wrong(judge: Judge) -> None:
    code = "def f(x):\n    return [918273645, 918273645]\n"
    assert judge(code, f"assert f(1) == {SECRET}").verdict is Verdict.WRONG_ANSWER


def test_a_program_that_shadows_sorted_gains_nothing(judge: Judge) -> None:
    code = (
        "class Any(list):\n    def __eq__(self, other): return True\ndef sorted(x): return Any()\ndef f(x): return x\n"
    )
    reply = judge(code, "assert sorted(f([2, 1])) == sorted([1, 2])")
    assert reply.verdict is Verdict.WRONG_ANSWER
    assert reply.tests[0].assurance is Assurance.HIGH


@pytest.mark.parametrize(
    "test",
    [
        "assert [f(1) == 918273645] == [True]",
        "assert int(f(1) == 918273645) == 1",
        "assert len([x for x in [f(1)] if x == 918273645]) == 1",
        "assert operator.sub(f(1), 918273645) == 0",
        "assert max(abs(a - b) for a, b in zip([f(1)], [918273645])) < 1e-6",
        "assert f(1) ^ {918273645} == set()",
        "assert f(1).count('abcdef') == 1",
        "assert f(1).replace('abcdef', '') == ''",
        "assert f(1).startswith('abcdef')",
        "assert f(1).isdigit()",
        "assert distance(f(1), 918273645) == 0",
        "assert agrees(f(1), 918273645)",
        "assert {'abc': 'yes'}[f(1)] == 'yes'",
        "assert isinstance(f(1), str)",
        "for x, y in [(1, 918273645)]:\n    assert f(x) == y",
        "errors = 0\nfor x, y in [(1, 918273645)]:\n    if f(x) != y:\n        errors += 1\nassert errors == 0",
        "correct = f(1) == 918273645\nassert correct == 1",
        "def close(x):\n    return abs(x - 918273645) < 1\nassert close(f(1)) == 1",
    ],
)
def test_guessing_how_an_answer_compares_is_no_pass_of_high_assurance(judge: Judge, test: str) -> None:
    [result] = judge(GUESSER, test).tests
    assert result.verdict is not Verdict.ACCEPTED or result.assurance is Assurance.LOW


@pytest.mark.parametrize(
    "test",
    [
        "assert f(0) == '918273645'",
        "assert f(1) == {'918273645'}",
        "assert f(2) == {'918273645': 1}",
        "assert f(3) == ('918273645',)",
        "assert '918273645' in f(1)",
        "assert isinstance(f(0), str)",
        "assert f(0) is True",
        "assert f(0) == True",
    ],
)
def test_a_metaclass_that_lies_makes_no_value(judge: Judge, test: str) -> None:
    assert judge(CLASSES, test).verdict is not Verdict.ACCEPTED


@pytest.mark.parametrize(
    "body",
    [
        "x = []\nx.append(x)\nreturn x",
        "x = []\nfor _ in range(10**5):\n    x = [x]\nreturn x",
        "return list(range(10**6))",
        "return {n * (2**61 - 1) for n in range(3000)}",
        "return 1 << 10**7",
        "return '\\ud83d\\ude00' * 10",
        "import sys\nsys.setrecursionlimit(5 + len(__import__('inspect').stack()))\nreturn [[[[[[[[1]]]]]]]]",
    ],
    ids=["cycle", "abyss", "long", "collisions", "huge", "surrogates", "shallow stack"],
)
def test_a_value_that_is_an_attack_is_wrong_and_the_next_test_is_judged(judge: Judge, body: str) -> None:
    code = "def f(x):\n    if x:\n        return x\n" + "".join(f"    {line}\n" for line in body.splitlines())
    reply = judge(code, f"assert f(0) == {SECRET}", "assert f(1) == 1", memory_bytes=512 * 1024**2)
    assert reply.tests[0].verdict in (Verdict.WRONG_ANSWER, Verdict.RUNTIME_ERROR)
    if "setrecursionlimit" not in body:
        assert reply.tests[1].verdict is Verdict.ACCEPTED


def test_whoever_finds_the_secret_still_has_to_know_the_answer(judge: Judge) -> None:
    """Its report is believed, and its value is compared."""
    reply = judge(SECRET_SEEKER.replace("ANSWER", "[1]"), f"assert f(1) == {SECRET}")
    assert reply.verdict is Verdict.WRONG_ANSWER
    reply = judge(SECRET_SEEKER.replace("ANSWER", "[]"), f"assert f(1) == {SECRET}")
    assert reply.verdict is Verdict.WRONG_ANSWER


def test_a_low_assurance_pass_says_only_that_nothing_was_seen_to_fail(judge: Judge) -> None:
    """Where the test runs beside a program, the program can pass it: by patching what it asks, or by the secret."""
    shadowing = "def all(x):\n    return True\ndef f(x):\n    return 1\n"
    seeking = SECRET_SEEKER.replace("ANSWER", "[]")
    for code, test in ((shadowing, f"assert all(x == {SECRET} for x in [f(1)])"), (seeking, CHECKED_INSIDE)):
        [result] = judge(code, test).tests
        assert (result.verdict, result.assurance) == (Verdict.ACCEPTED, Assurance.LOW)
