"""The command `phanos`, also as `python -m phanos`; alone it says what is installed."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import signal
import sys

from ._arguments import broker_url
from ._phanos import __version__, run_command
from ._profiler import environment

_VARIABLES = (
    environment.ENABLED,
    environment.SAMPLE_RATE,
    environment.JOB,
    broker_url.ENVIRONMENT,
)


def main() -> int:
    """Run the command with the arguments of this process; return its exit code."""
    if len(sys.argv) == 1:
        print(about())
        return 0
    # The command looks for signals itself: Python's own handler would raise when it has ended.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return run_command(["phanos", *sys.argv[1:]])


def about() -> str:
    """Return what is installed, what it can do, and where the documentation is, as lines."""
    system = f"{platform.python_implementation()} {platform.python_version()}"
    # Values are not shown: there may be a password in one.
    variables = [name + (" (set)" if os.environ.get(name) else "") for name in _VARIABLES]
    rows = {
        "handlers": [
            "StreamHandler, LoggerHandler, NamedLoggerHandler, TreeHandler: screen and logs",
            "PrometheusHandler: Prometheus, all processes of a host on one port",
            "ImpProfHandler, AsyncImpProfHandler: RabbitMQ, with TLS and a spool on disk",
        ],
        "tests": ["phanos.testing; with pytest the plug-in phanos.pytest_plugin"],
        "commands": [
            "phanos collect: counts what is sent, for Prometheus; phanos top: shows it here",
            "phanos --help, or python -m phanos --help",
        ],
        "environment": [", ".join(variables)],
        "documentation": [
            'help(phanos): python -c "import phanos; help(phanos)"',
            *(_addresses() or ["docs/index.md in the source distribution"]),
        ],
    }
    lines = [f"phanos {__version__} on {system}, {platform.system()} {platform.machine()}", ""]
    for name, texts in rows.items():
        lines += [
            f"  {title:<15}{text}"
            for title, text in zip([name] + [""] * len(texts), texts, strict=False)
        ]
    return "\n".join(lines)


def _addresses() -> list[str]:
    """Return the addresses of the project that its metadata has, such as `Homepage: ...`."""
    try:
        found = importlib.metadata.metadata("phanos").get_all("Project-URL")
    except importlib.metadata.PackageNotFoundError:  # Run from a checkout.
        return []
    return [address.replace(", ", ": ", 1) for address in found or []]


if __name__ == "__main__":
    sys.exit(main())
