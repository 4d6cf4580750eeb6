"""
Programs of another release of Debian, run from a folder with the C library they came with.

An ELF program names its dynamic linker by an absolute path, and the linker looks for libraries
where the system keeps its own. Both are written anew (patchelf), so that the programs run by their
names as if installed; extension modules and libraries that they load find the same libraries.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from .packages import InstallError, run

ELF = b"\x7fELF"
# The type of the program header that names the dynamic linker.
PT_INTERP = 3


def relocate(root: Path) -> None:
    """
    Have all programs below `root` use the dynamic linker and the libraries there.

    Raises:
        InstallError: the packages hold no C library, or patchelf is missing or failed.
    """
    linkers = sorted(root.glob("usr/lib*/ld-linux-*.so.*"))
    if not linkers:
        raise InstallError(f"no dynamic linker below {root}: the packages hold no C library")
    libraries = sorted(root.glob("usr/lib/*-linux-gnu/"))
    search_path = os.pathsep.join(map(str, libraries))
    patchelf = _patchelf()
    for program in _programs(root):
        # DT_RPATH, which counts for what libraries and extension modules need in turn.
        options = ["--set-interpreter", str(linkers[0].resolve()), "--force-rpath"]
        run([patchelf, *options, "--set-rpath", search_path, str(program)])


def _patchelf() -> str:
    """Return the program, installed beside the Python that runs this, or on PATH."""
    beside = Path(sys.executable).parent
    found = shutil.which("patchelf", path=os.pathsep.join((str(beside), *os.get_exec_path())))
    if found is None:
        raise InstallError("no patchelf: `make` installs it from requirements/packages.txt")
    return found


def _programs(root: Path) -> Iterator[Path]:
    """Yield the programs that are linked dynamically: libraries have no linker of their own."""
    for path in sorted((root / "usr").rglob("*")):
        if path.is_file() and not path.is_symlink() and os.access(path, os.X_OK):
            with path.open("rb") as file:
                if file.read(4) != ELF:
                    continue
            if _has_linker(path):
                yield path


def _has_linker(path: Path) -> bool:
    """Whether an ELF file has a program header of type PT_INTERP (64 bits, little endian)."""
    with path.open("rb") as file:
        header = file.read(64)
        offset = int.from_bytes(header[32:40], "little")
        size, count = (int.from_bytes(header[at : at + 2], "little") for at in (54, 56))
        file.seek(offset)
        return any(int.from_bytes(file.read(size)[:4], "little") == PT_INTERP for _ in range(count))
