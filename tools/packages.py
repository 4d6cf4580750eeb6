"""
Debian's packages, unpacked into a folder of the project.

They are downloaded and unpacked, not installed: no root, no service that starts, nothing changed
outside of the project.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Collection
from pathlib import Path

# apt waits for slow mirrors; so do we, but not for ever.
TIMEOUT_S = 600


class InstallError(Exception):
    """Something could not be put here."""


class Apt:
    """
    apt, asked as any user.

    Knows the packages by the machine's lists. After `update` by lists of its own, in a folder
    of the project, since those of the machine are root's.
    """

    def __init__(self, folder: Path) -> None:
        self._lists = folder / "lists"
        self._cache = folder / "cache"
        self._options: list[str] = []

    def update(self) -> str:
        """Download the lists of packages; return which could not be had, no error to apt."""
        (self._lists / "partial").mkdir(parents=True)
        (self._cache / "archives" / "partial").mkdir(parents=True)
        self._options = [f"-oDir::State::Lists={self._lists}", f"-oDir::Cache={self._cache}"]
        return self._run("apt-get", "update").stderr

    def related(self, package: str) -> set[str]:
        """Return the names of all packages that `package` depends on, by however many steps."""
        tree = self._run(
            "apt-cache",
            "depends",
            "--recurse",
            *("--no-recommends", "--no-suggests", "--no-conflicts", "--no-breaks"),
            *("--no-replaces", "--no-enhances"),
            package,
        ).stdout
        return {line.strip() for line in tree.splitlines() if line[:1].isalpha()}

    def lacking(self, package: str) -> set[str]:
        """Return the names of the packages that installing `package` would install here."""
        plan = self._run("apt-get", "install", "--simulate", "--no-install-recommends", package)
        return {line.split()[1] for line in plan.stdout.splitlines() if line.startswith("Inst ")}

    def download(self, names: Collection[str], folder: Path) -> list[Path]:
        """Return the package files, downloaded into `folder`."""
        folder.mkdir(exist_ok=True)
        self._run("apt-get", "download", *sorted(names), folder=folder)
        return sorted(folder.glob("*.deb"))

    def _run(
        self, program: str, *arguments: str, folder: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        return run([program, *self._options, *arguments], folder)


def run(
    command: list[str], folder: Path | None = None, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; raises `InstallError` with what it complained of."""
    try:
        answer = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InstallError(str(error)) from error
    if answer.returncode != 0:
        raise InstallError(f"{' '.join(command)}: exit {answer.returncode}\n{answer.stderr}")
    return answer


def unpack(folder: Path, needed: Callable[[Apt], Collection[str]]) -> None:
    """
    Fill `folder` anew with the packages that `needed` names.

    Raises:
        InstallError: apt or dpkg failed; says with what.
    """
    shutil.rmtree(folder, ignore_errors=True)
    work = folder / "download"
    work.mkdir(parents=True)
    for package in _downloaded(work, needed):
        run(["dpkg-deb", "--extract", str(package), str(folder)])
    shutil.rmtree(work)


def _downloaded(work: Path, needed: Callable[[Apt], Collection[str]]) -> list[Path]:
    """Return the package files; asks for new lists if those of the machine will not do."""
    apt = Apt(work)
    try:
        return apt.download(needed(apt), work / "packages")
    except InstallError:
        shutil.rmtree(work / "packages", ignore_errors=True)
    lacking = apt.update()
    try:
        return apt.download(needed(apt), work / "packages")
    except InstallError as error:
        raise InstallError(f"{error}\n{lacking}") from error
