"""The system call filter as the kernel would run it, and its numbers beside the machine's own headers."""

import ctypes
import errno
import re
import struct
from pathlib import Path

import pytest

from services.executor.inside import seccomp, syscalls
from services.executor.inside.linux import MACHINE, NAMESPACES

ALLOW, KILL, REFUSE = 0x7FFF0000, 0x80000000, 0x00050000
ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
HEADERS = {
    "x86_64": ("asm/unistd_64.h", "*/asm/unistd_64.h"),
    "aarch64": ("asm-generic/unistd.h", "*/asm-generic/unistd.h"),
}
SWITCHES = [
    {"signals": signals, "attributes": attributes, "zygote": zygote}
    for signals, attributes, zygote in [(True, True, True), (True, True, False), (False, False, False)]
]
pytestmark = pytest.mark.skipif(MACHINE not in ARCHITECTURE, reason="no numbers are known for this machine")


class Kernel:
    """Runs a filter as the kernel does; see https://docs.kernel.org/userspace-api/seccomp_filter.html."""

    def __init__(self, **switches: bool) -> None:
        program = seccomp.make_filter(**switches)
        address = ctypes.c_void_p.from_address(ctypes.addressof(program) + type(program).instructions.offset).value
        assert address is not None
        self.instructions = list(struct.iter_unpack("=HBBI", ctypes.string_at(address, 8 * program.length)))

    def decide(self, number: int, *arguments: int, architecture: int = ARCHITECTURE.get(MACHINE, 0)) -> int:
        """What is returned for a call."""
        data = struct.pack("<iIQ6Q", number, architecture, 0, *arguments, *[0] * (6 - len(arguments)))
        at = accumulator = 0
        for _ in range(len(self.instructions)):
            code, if_true, if_false, operand = self.instructions[at]
            at += 1
            match code:
                case 0x20:
                    accumulator = int.from_bytes(data[operand : operand + 4], "little")
                case 0x15:
                    at += if_true if accumulator == operand else if_false
                case 0x35:
                    at += if_true if accumulator >= operand else if_false
                case 0x45:
                    at += if_true if accumulator & operand else if_false
                case 0x06:
                    return int(operand)
                case _:
                    raise AssertionError(f"no such instruction: {code}")
        raise AssertionError("the filter does not end")


@pytest.mark.parametrize("switches", SWITCHES)
def test_what_is_not_listed_is_refused(switches: dict[str, bool]) -> None:
    """Every number of this architecture and beyond, x32's too."""
    kernel = Kernel(**switches)
    listed = {*syscalls.allowed(MACHINE, signals=switches["signals"], zygote=switches["zygote"])}
    decided = {
        *syscalls.checked(MACHINE).values(),
        *([] if switches["attributes"] else syscalls.of_attributes(MACHINE)),
    }
    numbers = {*range(-3, 700), *range(0x40000000 - 2, 0x40000000 + 700), 2**31 - 1, -(2**31)} - decided
    assert {number for number in numbers if kernel.decide(number) == ALLOW} == listed - decided
    assert {kernel.decide(number) for number in numbers - listed} == {REFUSE | errno.EPERM}


@pytest.mark.parametrize("switches", SWITCHES)
def test_another_architecture_is_deadly(switches: dict[str, bool]) -> None:
    others = {0x40000003, 0x40000028, *ARCHITECTURE.values()} - {ARCHITECTURE[MACHINE]}
    kernel = Kernel(**switches)
    assert {kernel.decide(number, architecture=each) for number in range(500) for each in others} == {KILL}


def test_arguments_decide_of_the_calls_that_do_good_and_harm() -> None:
    kernel = Kernel(signals=True, attributes=True, zygote=False)
    numbers = syscalls.checked(MACHINE)

    def allows(name: str, *arguments: int) -> bool:
        return kernel.decide(numbers[name], *arguments) == ALLOW

    new_namespaces = [1 << bit for bit in range(64) if NAMESPACES >> bit & 1]
    assert len(new_namespaces) == 7
    assert allows("clone", 0x3D0F00)  # as the C library starts a thread
    assert allows("clone", 0x1200011)  # as it forks
    assert not any(allows("clone", 0x1200011 | flag) for flag in new_namespaces)
    assert allows("ioctl", 1, 0x5401)
    assert not any(allows("ioctl", 1, 0x5412 | high) for high in (0, 1 << 32))
    assert allows("prctl", 15)
    assert not any(allows("prctl", option) for option in (4, 22, 24, 28, 35, 36, 38, 47, 0x59616D61))
    assert allows("socketpair", 1, 1 | 0x80000)
    assert not any(allows("socketpair", family, kind) for family, kind in ((1, 2), (1, 3), (2, 1), (30, 1)))
    assert allows("prlimit64", 0, 7)
    assert not any(allows("prlimit64", pid, 7) for pid in (1, 4321, 2**32 - 1))
    assert allows("fcntl", 3, 4)
    assert not any(allows("fcntl", 3, command) for command in (8, 10, 15, 1026))
    assert kernel.decide(numbers["clone3"]) == REFUSE | errno.ENOSYS


def test_signals_and_attributes_can_be_left_out() -> None:
    with_both = Kernel(signals=True, attributes=True, zygote=False)
    without = Kernel(signals=False, attributes=False, zygote=False)
    senders = {*syscalls.allowed(MACHINE, signals=True, zygote=False)} - {
        *syscalls.allowed(MACHINE, signals=False, zygote=False)
    }
    assert len(senders) == 5
    assert {with_both.decide(number) for number in senders} == {ALLOW}
    assert {without.decide(number) for number in senders} == {REFUSE | errno.EPERM}
    assert {with_both.decide(number) for number in syscalls.of_attributes(MACHINE)} == {ALLOW}
    assert {without.decide(number) for number in syscalls.of_attributes(MACHINE)} == {REFUSE}, "done, and nothing done"


def test_an_unknown_machine_has_no_filter() -> None:
    with pytest.raises(OSError, match="riscv64"):
        syscalls.allowed("riscv64", signals=True, zygote=False)


@pytest.mark.parametrize("machine", HEADERS)
def test_numbers_are_those_of_the_headers(machine: str) -> None:
    """Each of the table by name, where this machine has that architecture's header; and no number twice."""
    known = numbers_of_header(machine)
    ours = every_row(machine)
    assert len(set(ours.values())) == len(ours)
    newer = {name for name in ours if name not in known}
    assert {name: number for name, number in ours.items() if name not in newer} == {
        name: known[name] for name in ours if name not in newer
    }
    assert len(newer) < 10, "so many can't all be newer than the header"


def every_row(machine: str) -> dict[str, int]:
    """All that the tables name."""
    texts = [
        value for name, value in vars(syscalls).items() if isinstance(value, str) and re.search(r"\w \d+ \d", value)
    ]
    column = {"x86_64": 1, "aarch64": 2}[machine]
    rows = re.findall(r"(\w+) (\d+|-) (\d+|-)(?=,|\s*$|\s*\n)", "\n".join(texts))
    assert len(rows) > 200
    return {row[0]: int(row[column]) for row in rows if row[column] != "-"}


def numbers_of_header(machine: str) -> dict[str, int]:
    """`__NR_` names and numbers; the generic header defines some by way of a second name."""
    found = next((file for name in HEADERS[machine] for file in Path("/usr/include").glob(name)), None)
    if found is None:
        pytest.skip(f"no headers of {machine} are installed here")
    defined: dict[str, str] = dict(re.findall(r"#define (__NR\w+)\s+(\w+)", found.read_text()))
    resolved = {name: defined.get(value, value) for name, value in defined.items()}
    return {name.removeprefix("__NR_"): int(value) for name, value in resolved.items() if value.isdigit()}
