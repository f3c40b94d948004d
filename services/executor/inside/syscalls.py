"""The system calls that a program may make, with their numbers on x86_64 and aarch64 (`-` where there is none).

From the kernel's `asm/unistd_64.h` and `asm-generic/unistd.h`. Left out, and so refused: sockets but for pairs, tracing
and reading other processes, namespaces and mounts, keys, BPF, io_uring, userfaultfd, perf, memory files, other users,
System V and POSIX message queues.
"""

_TABLE = """
# open files
read 0 63, write 1 64, readv 19 65, writev 20 66, pread64 17 67, pwrite64 18 68, preadv 295 69, pwritev 296 70,
preadv2 327 286, pwritev2 328 287, sendfile 40 71, splice 275 76, tee 276 77, lseek 8 62, close 3 57,
close_range 436 436, dup 32 23, dup2 33 -, dup3 292 24, flock 73 32, fsync 74 82, fdatasync 75 83,
sync_file_range 277 84, fadvise64 221 223, readahead 187 213, copy_file_range 326 285, fstat 5 80, fstatfs 138 44,
getdents 78 -, getdents64 217 61, ftruncate 77 46, fallocate 285 47, fchmod 91 52, fchown 93 55, fchdir 81 50,
fgetxattr 193 10, flistxattr 196 13,
# paths
open 2 -, openat 257 56, creat 85 -, stat 4 -, lstat 6 -, newfstatat 262 79, statx 332 291, access 21 -,
faccessat 269 48, faccessat2 439 439, readlink 89 -, readlinkat 267 78, statfs 137 43, getcwd 79 17, chdir 80 49,
truncate 76 45, rename 82 -, renameat 264 38, renameat2 316 276, mkdir 83 -, mkdirat 258 34, rmdir 84 -,
link 86 -, linkat 265 37, unlink 87 -, unlinkat 263 35, symlink 88 -, symlinkat 266 36, mknod 133 -,
mknodat 259 33, chmod 90 -, fchmodat 268 53, chown 92 -, lchown 94 -, fchownat 260 54, umask 95 166, utime 132 -,
utimes 235 -, futimesat 261 -, utimensat 280 88, getxattr 191 8, lgetxattr 192 9, listxattr 194 11,
llistxattr 195 12,
# pipes, pairs of sockets and waiting
pipe 22 -, pipe2 293 59, eventfd 284 -, eventfd2 290 19, epoll_create 213 -, epoll_create1 291 20,
epoll_ctl 233 21, epoll_wait 232 -, epoll_pwait 281 22, epoll_pwait2 441 441, poll 7 -, ppoll 271 73, select 23 -,
pselect6 270 72, timerfd_create 283 85, timerfd_settime 286 86, timerfd_gettime 287 87, signalfd 282 -,
signalfd4 289 74, sendto 44 206, sendmsg 46 211, sendmmsg 307 269, recvfrom 45 207, recvmsg 47 212,
recvmmsg 299 243, shutdown 48 210, getsockopt 55 209, setsockopt 54 208, getsockname 51 204, getpeername 52 205,
# memory
mmap 9 222, munmap 11 215, mremap 25 216, mprotect 10 226, madvise 28 233, brk 12 214, msync 26 227,
mincore 27 232, mlock 149 228, munlock 150 229, membarrier 324 283,
# processes and threads
fork 57 -, vfork 58 -, execve 59 221, execveat 322 281, exit 60 93, exit_group 231 94, wait4 61 260,
waitid 247 95, getpid 39 172, getppid 110 173, gettid 186 178, getuid 102 174, geteuid 107 175, getgid 104 176,
getegid 108 177, getgroups 115 158, getresuid 118 148, getresgid 120 150, getpgid 121 155, getpgrp 111 -,
getsid 124 156, setpgid 109 154, setsid 112 157, arch_prctl 158 -, set_tid_address 218 96, set_robust_list 273 99,
get_robust_list 274 100, rseq 334 293, futex 202 98, futex_waitv 449 449, restart_syscall 219 128,
sched_yield 24 124, sched_getaffinity 204 123, sched_getparam 143 121, sched_getscheduler 145 120,
sched_get_priority_max 146 125, sched_get_priority_min 147 126, getpriority 140 141, getcpu 309 168,
capget 125 90,
# signals and timers
rt_sigaction 13 134, rt_sigprocmask 14 135, rt_sigreturn 15 139, rt_sigsuspend 130 133, rt_sigpending 127 136,
rt_sigtimedwait 128 137, sigaltstack 131 132, pause 34 -, alarm 37 -, setitimer 38 103, getitimer 36 102,
timer_create 222 107, timer_settime 223 110, timer_gettime 224 108, timer_getoverrun 225 109,
timer_delete 226 111,
# clocks, limits and the machine
nanosleep 35 101, clock_nanosleep 230 115, clock_gettime 228 113, clock_getres 229 114, gettimeofday 96 169,
time 201 -, times 100 153, getrusage 98 165, getrlimit 97 163, setrlimit 160 164,
sysinfo 99 179, uname 63 160, getrandom 318 278,
"""
_SENDING_SIGNALS = "kill 62 129, tkill 200 130, tgkill 234 131, rt_sigqueueinfo 129 138, rt_tgsigqueueinfo 297 240"
_OF_THE_ZYGOTE = (
    "pidfd_open 434 434, setns 308 268, setgroups 116 159, setresgid 119 149, setresuid 117 147, capset 126 91"
)
_ATTRIBUTES = """
chmod 90 -, fchmod 91 52, fchmodat 268 53, chown 92 -, fchown 93 55, lchown 94 -, fchownat 260 54, utime 132 -,
utimes 235 -, futimesat 261 -, utimensat 280 88
"""
_CHECKED = (
    "clone 56 220, ioctl 16 29, prctl 157 167, socketpair 53 199, clone3 435 435, unshare 272 97, prlimit64 302 261, "
    "fcntl 72 25"
)
_COLUMN = {"x86_64": 1, "aarch64": 2}


def allowed(machine: str, *, signals: bool, zygote: bool) -> list[int]:
    """The numbers of those that are always allowed on `machine`.

    Those that send a signal are among them with `signals` only, and what the zygote needs beyond its programs with
    `zygote` only: without capabilities a program gains nothing by them.

    Raises:
        OSError: the machine is neither `x86_64` nor `aarch64`.
    """
    rows = " ".join(line for line in _TABLE.splitlines() if not line.startswith("#"))
    rows += signals * f"{_SENDING_SIGNALS}, " + zygote * _OF_THE_ZYGOTE
    return sorted(_numbers(rows, machine).values())


def checked(machine: str) -> dict[str, int]:
    """The numbers of those whose arguments decide, by name: `seccomp` says which arguments.

    Raises:
        OSError: as above.
    """
    return _numbers(_CHECKED, machine)


def of_attributes(machine: str) -> list[int]:
    """The numbers of those that change the mode, owner or times of a file; they are among the allowed.

    Raises:
        OSError: as above.
    """
    return list(_numbers(_ATTRIBUTES, machine).values())


def _numbers(rows: str, machine: str) -> dict[str, int]:
    if machine not in _COLUMN:
        raise OSError(f"no system call numbers are known for {machine}")
    entries = [entry.split() for entry in rows.split(",") if entry.strip()]
    return {entry[0]: int(entry[_COLUMN[machine]]) for entry in entries if entry[_COLUMN[machine]] != "-"}
