"""The system call filter: an allowlist as a BPF program, made once; a jailed zygote installs it, or else each child.

What is not on the list fails with EPERM, which Python shows as a PermissionError; a system call of another
architecture kills the process. The numbers are found by binary search: the kernel runs the program once for each
number when it is installed, so a short path makes that quick.
Reference: https://docs.kernel.org/userspace-api/seccomp_filter.html
"""

import errno
import struct
from collections.abc import Sequence

from services.executor.inside import syscalls
from services.executor.inside.linux import CLONE_NEWPID, MACHINE, NAMESPACES, SeccompProgram

_LOAD, _JUMP_EQUAL, _JUMP_GREATER_EQUAL, _JUMP_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL_PROCESS, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_REFUSE = _ERRNO | errno.EPERM
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

_AF_UNIX = 1
_SOCK_STREAM, _SOCK_SEQPACKET, _SOCK_CLOEXEC, _SOCK_NONBLOCK = 1, 5, 0x80000, 0x800
_PAIRS = tuple(  # a datagram socket, even of a pair, can be sent from to any address; these can't
    kind | cloexec | nonblock
    for kind in (_SOCK_STREAM, _SOCK_SEQPACKET)
    for cloexec in (0, _SOCK_CLOEXEC)
    for nonblock in (0, _SOCK_NONBLOCK)
)
_TERMINAL_MODE, _TERMINAL_SIZE, _BYTES_WAITING, _NON_BLOCKING = 0x5401, 0x5413, 0x541B, 0x5421
_IOCTLS = (_TERMINAL_MODE, _TERMINAL_SIZE, _BYTES_WAITING, _NON_BLOCKING, 0x5450, 0x5451)  # the last two: close on exec
_SIGNALLING_FCNTLS = (8, 10, 15, 1026)  # owner, signal, owner of any kind, notice of changes
_MYSELF = 0
_PRCTLS = (1, 2, 3, 15, 16, 23)  # death signal, is dumpable, thread name, has a capability

Instruction = tuple[int, int, int, int]
"""Code, jump if true, jump if false, operand."""


def make_filter(*, signals: bool, attributes: bool, zygote: bool) -> SeccompProgram:
    """The filter for this machine; without `signals` a program can send none, not even to itself.

    Without `attributes` the modes, owners and times of files stay what they are, and a program is not told: honest ones
    set them where they copy, and look at them hardly ever.

    With `zygote` it can be put in force in the zygote, which then makes PID namespaces and changes users as before.

    Raises:
        OSError: no system call numbers are known for this machine.
    """
    numbers = syscalls.checked(MACHINE)
    leaves = {number: [_return(_ALLOW)] for number in syscalls.allowed(MACHINE, signals=signals, zygote=zygote)}
    leaves[numbers["clone"]] = _unless_any_bit(argument=0, bits=NAMESPACES)
    leaves[numbers["clone3"]] = [_return(_ERRNO | errno.ENOSYS)]  # its flags are out of sight; the C library uses clone
    leaves[numbers["ioctl"]] = _if_one_of(argument=1, values=_IOCTLS)
    leaves[numbers["fcntl"]] = _if_one_of(argument=1, values=_SIGNALLING_FCNTLS, then=_REFUSE, otherwise=_ALLOW)
    leaves[numbers["prlimit64"]] = _if_one_of(argument=0, values=[_MYSELF])
    leaves[numbers["prctl"]] = _if_one_of(argument=0, values=_PRCTLS)
    leaves[numbers["socketpair"]] = _if_both(_if_one_of(0, [_AF_UNIX]), _if_one_of(1, _PAIRS))
    if not attributes:
        leaves |= {number: [_return(_ERRNO)] for number in syscalls.of_attributes(MACHINE)}
    if zygote:
        leaves[numbers["unshare"]] = _if_one_of(argument=0, values=[CLONE_NEWPID])
    instructions = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_JUMP_EQUAL, 1, 0, _ARCHITECTURES[MACHINE]),
        _return(_KILL_PROCESS),
        (_LOAD, 0, 0, _NUMBER_AT),
        *_search(_ranges(leaves)),
    ]
    return SeccompProgram(len(instructions), b"".join(struct.pack("=HBBI", *each) for each in instructions))


def _ranges(leaves: dict[int, list[Instruction]]) -> list[tuple[int, list[Instruction]]]:
    """The number line cut where what is done changes: each cut's first number, and what is done from there on."""
    refused = [_return(_REFUSE)]
    cuts: list[tuple[int, list[Instruction]]] = [(0, refused)]
    for number in sorted(leaves):
        for start, leaf in ((number, leaves[number]), (number + 1, leaves.get(number + 1, refused))):
            if leaf != cuts[-1][1]:
                cuts.append((start, leaf))
    return cuts[1:] if cuts[1][0] == 0 else cuts


def _search(cuts: list[tuple[int, list[Instruction]]]) -> list[Instruction]:
    """Instructions that find the range of the number in hand, and do what is done there."""
    if len(cuts) == 1:
        return cuts[0][1]
    middle = len(cuts) // 2
    below, above = _search(cuts[:middle]), _search(cuts[middle:])
    return [(_JUMP_GREATER_EQUAL, len(below), 0, cuts[middle][0]), *below, *above]


def _return(action: int) -> Instruction:
    return _RETURN, 0, 0, action


def _argument(number: int) -> Instruction:
    """Load the lower half of an argument; both architectures are little-endian."""
    return _LOAD, 0, 0, _ARGUMENTS_AT + 8 * number


def _if_one_of(argument: int, values: Sequence[int], then: int = _ALLOW, otherwise: int = _REFUSE) -> list[Instruction]:
    tests = [(_JUMP_EQUAL, len(values) - at, 0, value) for at, value in enumerate(values)]
    return [_argument(argument), *tests, _return(otherwise), _return(then)]


def _if_both(first: list[Instruction], second: list[Instruction]) -> list[Instruction]:
    """Go on to `second` where `first` would have allowed."""
    return [*first[:-1], *second]


def _unless_any_bit(argument: int, bits: int) -> list[Instruction]:
    return [_argument(argument), (_JUMP_ANY_BIT, 0, 1, bits), _return(_REFUSE), _return(_ALLOW)]
