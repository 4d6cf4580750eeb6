"""One private RabbitMQ node: its life, its ports, its log."""

from __future__ import annotations

import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from .commands import CommandError, Commands
from .guarded import Guarded
from .installation import Installation
from .ports import HOST
from .settings import Certificates, Settings

# On an idle machine a start takes 2 s, a stop 1 s, a command 0.3 s.
START_DEADLINE_S = 60.0
STOP_DEADLINE_S = 60.0
COMMAND_DEADLINE_S = 60.0
POLL_INTERVAL_S = 0.02
LOG_TAIL_BYTES = 8_000
AMQP_HEADER = b"AMQP\x00\x00\x09\x01"
# A method frame on channel 0: the node offers a connection.
AMQP_OFFER = b"\x01\x00\x00"


class StartError(Exception):
    """The node does not start; the message ends with the last lines of its log."""


class Node(Commands):
    """
    A RabbitMQ node on the loopback interface that no other program uses.

    Start it with `start`, or as a context manager. Ports, data and users outlive a restart. It
    ends with the process that made it, however that ends.

    Args:
        folder: for data and log, kept afterwards; by default a temporary one, removed by `close`.
        certificates: for a second listener that speaks TLS.
        installation: which RabbitMQ; by default what `Installation.find` finds.

    Raises `MissingRabbitmqError`.
    """

    def __init__(
        self,
        folder: Path | None = None,
        certificates: Certificates | None = None,
        installation: Installation | None = None,
    ) -> None:
        installation = installation or Installation.find()
        self._temporary = None
        if folder is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="rabbitmq-")
            folder = Path(self._temporary.name)
        self._settings = Settings(installation, folder, certificates)
        self._names: Guarded | None = None
        self._emulator: Guarded | None = None

    def __enter__(self) -> Node:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def host(self) -> str:
        """Address of the interface it listens on."""
        return HOST

    @property
    def port(self) -> int:
        """Port of AMQP."""
        return self._settings.port

    @property
    def tls_port(self) -> int:
        """Port of AMQP over TLS; raises `ValueError` if it has no certificates."""
        if self._settings.certificates is None:
            raise ValueError("this node was made without certificates")
        return self._settings.tls_port

    @property
    def running(self) -> bool:
        """Whether there is a process, paused or not."""
        return self._emulator is not None and self._emulator.running

    def log(self) -> str:
        """Return the end of what the node has logged so far."""
        if not self._settings.log.exists():
            return ""
        with self._settings.log.open("rb") as file:
            file.seek(max(0, self._settings.log.stat().st_size - LOG_TAIL_BYTES))
            return file.read().decode(errors="replace")

    def start(self) -> None:
        """Start, and wait until clients can connect; raises `StartError`."""
        if self.running:
            raise ValueError("the node runs already")
        if self._names is None or not self._names.running:
            self._names = self._run(self._settings.names_command)
            self._wait_until(lambda: accepts(self._settings.names_port), self._names)
        self._emulator = self._run(self._settings.command)
        self._wait_until(lambda: speaks_amqp(self.port), self._emulator)

    def stop(self) -> None:
        """Stop as an administrator would: clients are told, data is written."""
        if self._emulator is None:
            return
        self._emulator.signal(signal.SIGCONT)
        self._emulator.signal(signal.SIGTERM)
        if not self._emulator.wait(STOP_DEADLINE_S):
            log = self.log()
            self._emulator.kill()
            raise TimeoutError(f"did not stop within {STOP_DEADLINE_S} s\n{log}")

    def kill(self) -> None:
        """End the node as a power cut would."""
        if self._emulator is not None:
            self._emulator.kill()

    def restart(self) -> None:
        """Stop and start; what is not durable is gone."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze the process: connections stay open, the system accepts new ones, none answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Go on after `pause`."""
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """Kill whatever runs and remove the temporary folder; may be called again."""
        for process in (self._emulator, self._names):
            if process is not None:
                process.kill()
        if self._temporary is not None:
            self._temporary.cleanup()

    def ctl(self, *arguments: str) -> str:
        """Run `rabbitmqctl`; see the base class."""
        try:
            answer = subprocess.run(
                self._settings.control_command(arguments),
                env=self._settings.environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=COMMAND_DEADLINE_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise CommandError(f"{arguments[0]}: no answer in {COMMAND_DEADLINE_S} s") from error
        if answer.returncode != 0:
            raise CommandError(f"{arguments[0]}: {answer.stdout}{answer.stderr}")
        return answer.stdout

    def _signal(self, number: signal.Signals) -> None:
        if self._emulator is None or not self._emulator.running:
            raise ValueError("the node does not run")
        self._emulator.signal(number)

    def _run(self, command: list[str]) -> Guarded:
        return Guarded(command, self._settings.environment, self._settings.log)

    def _wait_until(self, ready: Callable[[], bool], process: Guarded) -> None:
        deadline = time.monotonic() + START_DEADLINE_S
        while not ready():
            ended = not process.running
            if ended or time.monotonic() > deadline:
                process.kill()
                reason = "it ended" if ended else f"no answer in {START_DEADLINE_S} s"
                raise StartError(f"the node does not start: {reason}\n{self.log()}")
            time.sleep(POLL_INTERVAL_S)


def accepts(port: int) -> bool:
    """Whether a process listens on this port."""
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True


def speaks_amqp(port: int) -> bool:
    """Whether a client that connects is offered a connection."""
    try:
        with socket.create_connection((HOST, port), timeout=1) as client:
            client.sendall(AMQP_HEADER)
            return client.recv(len(AMQP_OFFER)) == AMQP_OFFER
    except OSError:
        return False
