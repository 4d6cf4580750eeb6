"""Where RabbitMQ and Erlang are: unpacked in the project, or installed on the machine."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
UNPACKED = PROJECT / ".rabbitmq"
# One for each release of Debian, such as `.brokers/trixie`.
BROKERS = PROJECT / ".brokers"
# Names the folder of one of them, to be used in place of the others.
CHOSEN = "PHANOS_RABBITMQ"
STAMP = UNPACKED / ".installed"
PROBE_TIMEOUT_S = 30
# The extensions in C that RabbitMQ cannot do without: they may lack a library.
PROBE = "ok = application:start(crypto), io:format(erlang:system_info(otp_release)), halt()."


class MissingRabbitmqError(Exception):
    """Neither the project nor the machine has RabbitMQ."""

    def __init__(self) -> None:
        super().__init__(
            f"no RabbitMQ in {UNPACKED} and none installed; get it with `make .rabbitmq/.installed`"
        )


@dataclass(frozen=True)
class Installation:
    """
    The folders of one RabbitMQ.

    Attributes:
        home: the one with `plugins/` and `escript/`.
        erlang: the one with `bin/start_sasl.boot` and `erts-*/`.
        libraries: folders for the dynamic linker; none for an installed one.
    """

    home: Path
    erlang: Path
    libraries: tuple[Path, ...]

    @classmethod
    def find(cls) -> Installation:
        """
        Return the one that the environment names, else the unpacked one, else the machine's.

        Raises `MissingRabbitmqError`.
        """
        chosen = os.environ.get(CHOSEN)
        if chosen:
            roots = [PROJECT / chosen]
        else:
            roots = [UNPACKED, Path("/")] if STAMP.exists() else [Path("/")]
        for root in roots:
            found = cls.under(root)
            if found is not None:
                return found
        raise MissingRabbitmqError

    @classmethod
    def under(cls, root: Path) -> Installation | None:
        """Return the one whose packages were unpacked into `root`, if it is complete."""
        homes = sorted(root.glob("usr/lib/rabbitmq/lib/rabbitmq_server-*/"))
        erlangs = sorted(root.glob("usr/lib*/erlang/bin/start_sasl.boot"))
        if not homes or not erlangs:
            return None
        # With a C library of their own, programs know where theirs are: `tools/relocated.py`.
        knowing = root == Path("/") or any(root.glob("usr/lib*/ld-linux-*.so.*"))
        libraries = () if knowing else tuple(sorted(root.glob("usr/lib/*-linux-*/")))
        return cls(homes[-1], erlangs[-1].parents[1], libraries)

    @property
    def emulator(self) -> Path:
        """Folder of Erlang's programs, among them `erlexec` and `epmd`."""
        return sorted(self.erlang.glob("erts-*/bin/"))[-1]

    def environment(self) -> dict[str, str]:
        """
        Return what Erlang needs to know in order to run from here.

        `bin/erl` has the place of an installation written into it, hence `erlexec`, which asks
        the environment. RabbitMQ's own scripts would call `erl`, so they are not used either.
        """
        inherited = ("PATH", "TMPDIR")
        environment = {name: os.environ[name] for name in inherited if name in os.environ}
        environment |= {
            "ROOTDIR": str(self.erlang),
            "BINDIR": str(self.emulator),
            "EMU": "beam",
            "PROGNAME": "erl",
            "ERL_LIBS": str(self.home / "plugins"),
            "LC_ALL": "C.UTF-8",
        }
        if self.libraries:
            environment["LD_LIBRARY_PATH"] = os.pathsep.join(map(str, self.libraries))
        return environment

    def program(self, name: str) -> str:
        """Return the path of a program of Erlang's."""
        return str(self.emulator / name)

    def complaint(self) -> str | None:
        """Return why Erlang does not run here, or None if it does."""
        command = [self.program("erlexec"), "-boot", "start_clean", "-noshell", "-eval", PROBE]
        try:
            answer = subprocess.run(
                command,
                env=self.environment() | {"HOME": "/"},
                capture_output=True,
                text=True,
                timeout=PROBE_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
        if answer.returncode == 0 and answer.stdout.strip().isdigit():
            return None
        return "\n".join(lines(answer.stdout, answer.stderr)) or f"exit {answer.returncode}"


def lines(*texts: str) -> Iterator[str]:
    """Yield the lines of these texts that are not empty."""
    for text in texts:
        yield from (line for line in text.splitlines() if line.strip())
