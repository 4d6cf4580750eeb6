"""What a benchmark ran on."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

PYTHON = """
import json, platform, sysconfig
told = sysconfig.get_config_var
print(json.dumps({
    "version": platform.python_version(),
    "compiler": platform.python_compiler(),
    "pgo": "-fprofile-use" in (told("PY_CORE_CFLAGS") or "")
        or "--enable-optimizations" in (told("CONFIG_ARGS") or ""),
}))
"""
TIMEOUT_S = 60


def machine() -> dict[str, Any]:
    """Processor, cores in use by this process, memory and system."""
    return {
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1),
        "system": f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}",
        "libc": " ".join(platform.libc_ver()),
    }


def processor() -> str:
    """Model, or the architecture where the model is not known."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def interpreter(python: str) -> dict[str, Any]:
    """Version of an interpreter and how it was compiled."""
    told: dict[str, Any] = json.loads(said(python, "-c", PYTHON) or "{}")
    return told


def said(*command: str) -> str | None:
    """What a program writes; None if it does not run."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
