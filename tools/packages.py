"""
Debian's packages, unpacked into a folder of the project.

They are downloaded and unpacked, not installed: no root, no service that starts, nothing changed
outside of the project.
"""

from __future__ import annotations

import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from pathlib import Path

# apt waits for slow mirrors; so do we, but not for ever.
TIMEOUT_S = 600
# Has the keys of releases to come as well, as far as the machine is kept up to date.
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# Where machines whose own sources are not Debian's find it.
DEBIAN = "http://deb.debian.org/debian"


class InstallError(Exception):
    """Something could not be put here."""


class Apt(ABC):
    """apt, asked as any user."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._options: list[str] = []

    def _use_lists_of_its_own(self) -> None:
        """Keep lists of packages in a folder of the project: those of the machine are root's."""
        lists, cache = self._folder / "lists", self._folder / "cache"
        (lists / "partial").mkdir(parents=True)
        (cache / "archives" / "partial").mkdir(parents=True)
        self._options += [f"-oDir::State::Lists={lists}", f"-oDir::Cache={cache}"]

    @abstractmethod
    def update(self) -> str:
        """Download the lists of packages; return which could not be had, no error to apt."""

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

    def lacking(self, *packages: str) -> set[str]:
        """Return the names of the packages that installing `packages` would install here."""
        plan = self._run("apt-get", "install", "--simulate", "--no-install-recommends", *packages)
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


class MachineApt(Apt):
    """Packages of the machine's own release: by the machine's lists, after `update` by new ones."""

    def update(self) -> str:
        """Download lists of its own; see the base class."""
        self._use_lists_of_its_own()
        return self._run("apt-get", "update").stderr


class ReleaseApt(Apt):
    """
    Packages of another release of Debian, from the archive that the machine uses.

    Nothing counts as installed: what a program needs is all there, its C library included.
    """

    def __init__(self, folder: Path, release: str) -> None:
        super().__init__(folder)
        archive = self._archive()
        sources = folder / "sources.list"
        sources.write_text(f"deb [signed-by={KEYRING}] {archive} {release} main\n")
        self._options = [
            f"-oDir::Etc::SourceList={sources}",
            "-oDir::Etc::SourceParts=/dev/null",
            "-oDir::State::Status=/dev/null",
        ]
        self._use_lists_of_its_own()
        self.update()

    def update(self) -> str:
        """Download the lists anew; see the base class."""
        return self._run("apt-get", "update").stderr

    def _archive(self) -> str:
        filters = ("Created-By: Packages", "Origin: Debian", "Label: Debian")
        answer = self._run("apt-get", "indextargets", "--format", "$(SITE)", *filters).stdout
        return answer.splitlines()[0] if answer.strip() else DEBIAN


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
    work = _emptied(folder)
    _extract(_downloaded(work, needed), folder)
    shutil.rmtree(work)


def unpack_release(folder: Path, release: str, *packages: str) -> None:
    """
    Fill `folder` anew with packages of a release of Debian and all that they depend on.

    Raises:
        InstallError: apt or dpkg failed; says with what.
    """
    work = _emptied(folder)
    apt = ReleaseApt(work, release)
    _extract(apt.download(apt.lacking(*packages), work / "packages"), folder)
    shutil.rmtree(work)


def _emptied(folder: Path) -> Path:
    """Return a folder for what is downloaded, in `folder`, which is empty otherwise."""
    shutil.rmtree(folder, ignore_errors=True)
    work = folder / "download"
    work.mkdir(parents=True)
    return work


def _extract(packages: list[Path], folder: Path) -> None:
    for package in packages:
        run(["dpkg-deb", "--extract", str(package), str(folder)])


def _downloaded(work: Path, needed: Callable[[Apt], Collection[str]]) -> list[Path]:
    """Return the package files; asks for new lists if those of the machine will not do."""
    apt = MachineApt(work)
    try:
        return apt.download(needed(apt), work / "packages")
    except InstallError:
        shutil.rmtree(work / "packages", ignore_errors=True)
    lacking = apt.update()
    try:
        return apt.download(needed(apt), work / "packages")
    except InstallError as error:
        raise InstallError(f"{error}\n{lacking}") from error
