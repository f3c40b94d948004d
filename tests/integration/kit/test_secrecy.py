"""A process that holds a key is closed to other processes of its user."""

import os
import subprocess
import sys

import pytest

TWO_PROCESSES_OF_ONE_USER = """
import ctypes, os, signal, sys, time
from services.kit.secrecy import hide_from_own_user

PR_SET_DUMPABLE = 4

def become_an_ordinary_process():
    os.setgroups([])
    os.setgid(64999)
    os.setuid(64999)
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # as after an exec

with_key = os.fork()
if with_key == 0:
    become_an_ordinary_process()
    if sys.argv[1] == "hidden":
        hide_from_own_user()
    signal.pause()
become_an_ordinary_process()
time.sleep(0.5)
try:
    with open(f"/proc/{with_key}/environ", "rb") as file:
        print(file.read().decode())
except PermissionError:
    print("refused")
finally:
    os.kill(with_key, signal.SIGKILL)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make two processes of another user")
@pytest.mark.parametrize(("mode", "seen"), [("open", "KEY=secret"), ("hidden", "refused")])
def test_a_hidden_processs_environment_is_closed_to_its_own_user(mode: str, seen: str) -> None:
    command = [sys.executable, "-c", TWO_PROCESSES_OF_ONE_USER, mode]
    process = subprocess.run(command, capture_output=True, text=True, timeout=60, env={"KEY": "secret"}, check=True)
    assert process.stdout.strip().rstrip("\0") == seen
