"""System calls of this process that fail, or never return: disks and file systems gone bad."""

from __future__ import annotations

import ctypes
import os
import platform
import struct

NUMBERS = {
    "x86_64": {"flock": 73, "pwrite64": 18, "seccomp": 317},
    "aarch64": {"flock": 32, "pwrite64": 68, "seccomp": 277},
}
ALLOW, ERROR, ASK = 0x7FFF0000, 0x00050000, 0x7FC00000
NO_NEW_PRIVILEGES, SET_FILTER, NEW_LISTENER = 38, 1, 8
LOAD, EQUALS, RETURN = 0x20, 0x15, 0x06


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))


def fail(call: str, error: int) -> None:
    """Have `call` fail from now on, in threads that start later too."""
    _install(call, ERROR | error, 0)


def hang(call: str) -> None:
    """Have `call` never return: somebody is asked what to do, and nobody answers."""
    _install(call, ASK, NEW_LISTENER)


def _install(call: str, action: int, flags: int) -> None:
    numbers = NUMBERS[platform.machine()]
    code = (
        struct.pack("HBBI", LOAD, 0, 0, 0)
        + struct.pack("HBBI", EQUALS, 0, 1, numbers[call])
        + struct.pack("HBBI", RETURN, 0, 0, action)
        + struct.pack("HBBI", RETURN, 0, 0, ALLOW)
    )
    held = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(code) // 8, ctypes.addressof(held))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no_new_privs")
    # A descriptor of who is asked stays open for as long as the process lives.
    if libc.syscall(numbers["seccomp"], SET_FILTER, flags, ctypes.byref(program)) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
