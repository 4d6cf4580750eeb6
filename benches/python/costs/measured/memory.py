"""Memory of this process."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

STATM = Path("/proc/self/statm")


def resident_bytes() -> int:
    """What the process has in memory, pages that it shares included."""
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


MALLINFO2 = (
    "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"  # mallinfo(3)
)


class _Mallinfo2(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_size_t) for name in MALLINFO2.split())


def allocated_bytes() -> int | None:
    """What is in use of the C library's heap; None if the library does not tell."""
    try:
        mallinfo2 = ctypes.CDLL(None).mallinfo2
    except (OSError, AttributeError):
        return None
    mallinfo2.restype = _Mallinfo2
    told = mallinfo2()
    return int(told.uordblks) + int(told.hblkhd)


def used_bytes() -> int:
    """What is allocated, or what the process has if the C library does not tell."""
    allocated = allocated_bytes()
    return resident_bytes() if allocated is None else allocated
