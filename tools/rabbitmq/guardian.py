"""
Run one program, and end it with everything it started as soon as the process behind us ends.

    python guardian.py PARENT_PID PROGRAM ARGUMENT...

That holds for a pytest that is killed as well, when no code of its own can run any more. The
program's id is printed first; its output goes where our errors go.

Asking for the parent's id works whichever thread started us, and whatever processes inherited
files. The program itself gets a death signal, which is exact here, since this process has one
thread.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path

CHECK_INTERVAL_S = 0.5
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
LIBC = ctypes.CDLL(None, use_errno=True)


def prepare() -> None:
    """In the program, before it runs: die with the guardian, and hear signals as usual."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})


def guard(parent: int, command: list[str]) -> int:
    """Run the program until it or the parent ends; return its exit code."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1)
    program = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=sys.stderr.fileno(), preexec_fn=prepare
    )
    print(program.pid, flush=True)
    while program.poll() is None and os.getppid() == parent:
        signal.sigtimedwait({signal.SIGCHLD}, CHECK_INTERVAL_S)
    if program.poll() is None:
        program.kill()
    code = program.wait()
    end_orphans()
    return code


def end_orphans() -> None:
    """Kill what the program started and left behind: a subreaper inherits all of it."""
    children = Path("/proc/self/task", str(os.getpid()), "children")
    while True:
        for child in children.read_text().split():
            os.kill(int(child), signal.SIGKILL)
        try:
            os.wait()
        except ChildProcessError:
            return


if __name__ == "__main__":
    sys.exit(guard(int(sys.argv[1]), sys.argv[2:]))
