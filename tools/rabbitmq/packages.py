"""
Put RabbitMQ into `.rabbitmq/`: `python3 -m tools.rabbitmq.packages`.

Debian's packages are unpacked there; see `tools/packages.py`. What the machine has already is
used as it is.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tools.packages import Apt, InstallError, unpack

from .installation import STAMP, UNPACKED, Installation

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
    return unpacked()


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
