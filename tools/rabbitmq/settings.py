"""What a private node is started with: its files, environment and command line."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from .installation import Installation
from .ports import HOST, free_ports

NODE_NAME = "phanos@localhost"
# Where `memory_alarm(False)` puts the limit back to; far above what a test makes a node use.
MEMORY_LIMIT = "2GB"
DISK_LIMIT = "1MB"
# A spinning emulator uses up its share of a busy machine: a command takes 7 s instead of 1 s.
NEVER_SPIN = ("+sbwt", "none", "+sbwtdcpu", "none", "+sbwtdio", "none")
# Two schedulers that sleep when idle: tests share a small machine with what they test.
EMULATOR_FLAGS = (
    *("+W", "w", "+S", "2:2", "+SDcpu", "1:1", "+SDio", "2", "+A", "4", "+B", "i"),
    *NEVER_SPIN,
)
LOOPBACK_ONLY = ("-kernel", "inet_dist_use_interface", "{127,0,0,1}")


@dataclass(frozen=True)
class Certificates:
    """
    Files in PEM for a listener that speaks TLS.

    Attributes:
        authority: certificates that clients are checked against.
        certificate, key: the node's own.
        client_required: whether clients must show a certificate.
    """

    authority: Path
    certificate: Path
    key: Path
    client_required: bool = False


@dataclass(frozen=True)
class Settings:
    """
    One node's identity, the same after every restart.

    Attributes:
        folder: data, logs, configuration and home; made if it does not exist.
        port: of AMQP on the loopback interface.
        tls_port: of AMQP over TLS, there if `certificates` are.
        names_port, commands_port: where `rabbitmqctl` finds and reaches the node.
    """

    installation: Installation
    folder: Path
    certificates: Certificates | None = None
    port: int = field(init=False)
    tls_port: int = field(init=False)
    names_port: int = field(init=False)
    commands_port: int = field(init=False)

    def __post_init__(self) -> None:
        names = ("port", "tls_port", "names_port", "commands_port")
        for name, port in zip(names, free_ports(len(names)), strict=True):
            object.__setattr__(self, name, port)
        self._write_files()

    @property
    def log(self) -> Path:
        """The file that everything is logged to."""
        return self.folder / "node.log"

    @property
    def environment(self) -> dict[str, str]:
        """All variables that the node and its commands are to see."""
        folder = self.folder
        return self.installation.environment() | {
            "HOME": str(folder),
            "ERL_EPMD_PORT": str(self.names_port),
            "ERL_EPMD_ADDRESS": HOST,
            "ERL_CRASH_DUMP_BYTES": "0",
            # The emulator makes its table of ports as large as this says, or as `ulimit` does.
            "ERL_MAX_PORTS": "4096",
            "ERL_MAX_ETS_TABLES": "5000",
            "SYS_PREFIX": "",
            "RABBITMQ_HOME": str(self.installation.home),
            "RABBITMQ_PLUGINS_DIR": str(self.installation.home / "plugins"),
            "RABBITMQ_NODENAME": NODE_NAME,
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "generated"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_DIST_PORT": str(self.commands_port),
        }

    @property
    def names_command(self) -> list[str]:
        """The name server that Erlang nodes find each other by, in the foreground."""
        return [self.installation.program("epmd"), "-address", HOST]

    @property
    def command(self) -> list[str]:
        """The node, in the foreground, logging to its standard output."""
        return [
            self.installation.program("erlexec"),
            *("-noinput", "-s", "rabbit", "boot", "-boot", "start_sasl"),
            *EMULATOR_FLAGS,
            *("-start_epmd", "false", *LOOPBACK_ONLY),
            *("-syslog", "logger", "[]", "-syslog", "syslog_error_logger", "false"),
        ]

    def control_command(self, arguments: tuple[str, ...]) -> list[str]:
        """`rabbitmqctl` with these arguments, for this node."""
        program = self.installation.home / "escript" / "rabbitmqctl"
        return [
            self.installation.program("erlexec"),
            *("+B", "+S", "1:1", "+SDcpu", "1:1", "+SDio", "1", "+A", "1", *NEVER_SPIN),
            *("-boot", "start_clean", "-noinput", "-noshell", "-hidden"),
            *("-start_epmd", "false", *LOOPBACK_ONLY),
            *("-run", "escript", "start", "-escript", "main", main_module(program), "-extra"),
            str(program),
            *("--node", NODE_NAME, *arguments),
        ]

    def _write_files(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        cookie = self.folder / ".erlang.cookie"
        cookie.write_text(secrets.token_hex(16))
        cookie.chmod(0o400)
        (self.folder / "enabled_plugins").write_text("[].\n")
        (self.folder / "rabbitmq.conf").write_text("\n".join(self._configuration()) + "\n")

    def _configuration(self) -> list[str]:
        lines = [
            f"listeners.tcp.1 = {HOST}:{self.port}",
            "log.console = true",
            "log.console.level = info",
            "log.file = false",
            f"disk_free_limit.absolute = {DISK_LIMIT}",
            f"vm_memory_high_watermark.absolute = {MEMORY_LIMIT}",
        ]
        if self.certificates is not None:
            required = str(self.certificates.client_required).lower()
            lines += [
                f"listeners.ssl.1 = {HOST}:{self.tls_port}",
                f"ssl_options.cacertfile = {self.certificates.authority}",
                f"ssl_options.certfile = {self.certificates.certificate}",
                f"ssl_options.keyfile = {self.certificates.key}",
                "ssl_options.verify = verify_peer",
                f"ssl_options.fail_if_no_peer_cert = {required}",
            ]
        return lines


def main_module(escript: Path) -> str:
    """Return the module in which a program of Erlang's begins: versions of RabbitMQ differ."""
    with escript.open("rb") as file:
        found = re.search(rb"-escript main (\S+)", file.read(1024))
    return "rabbitmqctl_escript" if found is None else found[1].decode()
