"""
Put RabbitMQ into `.rabbitmq/`: `python3 -m tools.rabbitmq.packages`.

Debian's packages are unpacked there; see `tools/packages.py`. What the machine has already is
used as it is. `python3 -m tools.rabbitmq.packages trixie` puts that of another release of Debian
into `.brokers/trixie/`, with the C library that it was made for.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tools.packages import Apt, InstallError, unpack, unpack_release
from tools.relocated import relocate

from .installation import BROKERS, UNPACKED, Installation

PACKAGE = "rabbitmq-server"


def needed(apt: Apt) -> set[str]:
    """Return the packages to unpack: RabbitMQ, all of Erlang, libraries that lack here."""
    # Erlang as a whole, whatever parts of it are installed: its parts must match.
    erlang = {name for name in apt.related(PACKAGE) if name.startswith("erlang-")}
    libraries = {name for name in apt.lacking(PACKAGE) if name.startswith("lib")}
    return {PACKAGE} | erlang | libraries


def unpacked() -> Installation:
    """Fill `.rabbitmq/` anew; raises `InstallError`."""
    unpack(UNPACKED, needed)
    return checked(UNPACKED)


def unpacked_release(release: str) -> Installation:
    """Fill `.brokers/<release>/` anew; raises `InstallError`."""
    folder = BROKERS / release
    unpack_release(folder, release, PACKAGE)
    relocate(folder)
    return checked(folder)


def checked(folder: Path) -> Installation:
    """Return what was unpacked there; raises `InstallError` if it does not run."""
    installation = Installation.under(folder)
    if installation is None:
        raise InstallError(f"the packages hold no RabbitMQ where it is looked for, in {folder}")
    complaint = installation.complaint()
    if complaint is not None:
        raise InstallError(f"Erlang does not run from {folder}:\n{complaint}")
    return installation


def install() -> Installation:
    """Return the machine's RabbitMQ if it has a working one, else unpack one."""
    installed = Installation.under(Path("/"))
    if installed is not None and installed.complaint() is None:
        UNPACKED.mkdir(exist_ok=True)
        return installed
    return unpacked()


def main(releases: list[str]) -> int:
    """Install, leave the stamp that `make` looks at, say what was done."""
    try:
        if releases:
            folder, installation = BROKERS / releases[0], unpacked_release(releases[0])
        else:
            folder, installation = UNPACKED, install()
    except InstallError as error:
        print(
            f"cannot get RabbitMQ: {error}\n"
            "It takes apt and its sources, or install rabbitmq-server by other means.",
            file=sys.stderr,
        )
        return 1
    (folder / ".installed").write_text(f"{installation.home}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
