"""
Put RabbitMQ into `.rabbitmq/`: `python3 -m tools.rabbitmq.packages`.

Debian's packages are downloaded and unpacked, not installed: no root, no service that starts,
nothing changed outside of the project. What the machine has already is used as it is.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from .installation import STAMP, UNPACKED, Installation

PACKAGE = "rabbitmq-server"
# apt waits for slow mirrors; so do we, but not for ever.
TIMEOUT_S = 600


class InstallError(Exception):
    """RabbitMQ could not be put here."""


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

    def needed(self) -> list[str]:
        """Return the packages to unpack: RabbitMQ, all of Erlang, libraries that lack here."""
        tree = self._run(
            "apt-cache",
            "depends",
            "--recurse",
            *("--no-recommends", "--no-suggests", "--no-conflicts", "--no-breaks"),
            *("--no-replaces", "--no-enhances"),
            PACKAGE,
        ).stdout
        related = {line.strip() for line in tree.splitlines() if line[:1].isalpha()}
        # Erlang as a whole, whatever parts of it are installed: its parts must match.
        erlang = {name for name in related if name.startswith("erlang-")}
        plan = self._run("apt-get", "install", "--simulate", "--no-install-recommends", PACKAGE)
        lacking = {line.split()[1] for line in plan.stdout.splitlines() if line.startswith("Inst ")}
        libraries = {name for name in lacking if name.startswith("lib")}
        return sorted({PACKAGE} | erlang | libraries)

    def download(self, names: list[str], folder: Path) -> list[Path]:
        """Return the package files, downloaded into `folder`."""
        folder.mkdir(exist_ok=True)
        self._run("apt-get", "download", *names, folder=folder)
        return sorted(folder.glob("*.deb"))

    def _run(
        self, program: str, *arguments: str, folder: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        return run([program, *self._options, *arguments], folder)


def run(command: list[str], folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; raises `InstallError` with what it complained of."""
    try:
        answer = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InstallError(str(error)) from error
    if answer.returncode != 0:
        raise InstallError(f"{' '.join(command)}: exit {answer.returncode}\n{answer.stderr}")
    return answer


def downloaded(work: Path) -> list[Path]:
    """Return the package files; asks for new lists if those of the machine will not do."""
    apt = Apt(work)
    try:
        return apt.download(apt.needed(), work / "packages")
    except InstallError:
        shutil.rmtree(work / "packages", ignore_errors=True)
    lacking = apt.update()
    try:
        return apt.download(apt.needed(), work / "packages")
    except InstallError as error:
        raise InstallError(f"{error}\n{lacking}") from error


def unpack() -> Installation:
    """Fill `.rabbitmq/` anew; raises `InstallError`."""
    shutil.rmtree(UNPACKED, ignore_errors=True)
    work = UNPACKED / "download"
    work.mkdir(parents=True)
    for package in downloaded(work):
        run(["dpkg-deb", "--extract", str(package), str(UNPACKED)])
    shutil.rmtree(work)
    installation = Installation.under(UNPACKED)
    if installation is None:
        raise InstallError(f"the packages hold no RabbitMQ where it is looked for, in {UNPACKED}")
    complaint = installation.complaint()
    if complaint is not None:
        raise InstallError(f"Erlang does not run from {UNPACKED}:\n{complaint}")
    return installation


def install() -> Installation:
    """Return the machine's RabbitMQ if it has a working one, else unpack one."""
    installed = Installation.under(Path("/"))
    if installed is not None and installed.complaint() is None:
        UNPACKED.mkdir(exist_ok=True)
        return installed
    return unpack()


def main() -> int:
    """Install, leave the stamp that `make` looks at, say what was done."""
    try:
        installation = install()
    except InstallError as error:
        print(
            f"cannot get RabbitMQ: {error}\n"
            "It takes apt and its sources, or install rabbitmq-server by other means.",
            file=sys.stderr,
        )
        return 1
    STAMP.write_text(f"{installation.home}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
