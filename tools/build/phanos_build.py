"""
The build backend: maturin, which is asked only where there is Rust.

Where there is none maturin downloads a toolchain, for minutes and in silence, or fails with the
error of a tool that the user never heard of. This says in two lines what is missing. pip finds it
by `backend-path` in pyproject.toml.
"""

from __future__ import annotations

import os
import shutil
from typing import Any

import maturin

DOWNLOAD = "PHANOS_DOWNLOAD_RUST"
"""Variable of the environment that lets maturin download a toolchain: `1`."""

MISSING = (
    "phanos has to be compiled here, and Rust 1.90 or newer is missing: no cargo on the PATH.\n"
    f"Install Rust (rustup, or a package of the system) and a C compiler, or set {DOWNLOAD}=1 to "
    "have Rust downloaded for this build."
)

HOOKS = (
    "get_requires_for_build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "prepare_metadata_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "build_wheel",
    "build_editable",
    "build_sdist",
)
"""What a backend may have; without build isolation the first ones are not asked."""


def _guarded(name: str) -> Any:
    hook = getattr(maturin, name)

    def guarded(*args: Any, **kwargs: Any) -> Any:
        if shutil.which("cargo") is None and os.environ.get(DOWNLOAD) != "1":
            # Not an exception: pip would show its traceback, and these lines last.
            raise SystemExit(MISSING)
        return hook(*args, **kwargs)

    return guarded


globals().update({name: _guarded(name) for name in HOOKS if hasattr(maturin, name)})
