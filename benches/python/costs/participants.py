"""Who is measured, and under which interpreters."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PROBE_TIMEOUT_S = 60
PROBE = """
import importlib.metadata as metadata, json, platform, sys
python = platform.python_version()
print(json.dumps([metadata.version(sys.argv[1]) if sys.argv[1] else python, python]))
"""


@dataclass(frozen=True)
class Participant:
    """One package under one Python version."""

    key: str
    title: str
    package: str
    """Its name on PyPI; empty for what comes with Python."""
    module: str
    """Which cases: an argument of `costs.measured`."""
    imports: str
    """Statement that a program begins with to use it."""


OLD = Participant("old", "phanos 0.3.2", "phanos", "phanos", "import phanos")
NEW = Participant("new", "phanos 0.4.0", "phanos", "phanos", "import phanos")
PROMETHEUS = Participant(
    "prometheus",
    "prometheus_client",
    "prometheus_client",
    "prometheus",
    "import prometheus_client",
)
OPENTELEMETRY = Participant(
    "opentelemetry",
    "OpenTelemetry",
    "opentelemetry-sdk",
    "opentelemetry",
    "import opentelemetry.sdk.trace.export",
)
PARTICIPANTS = (NEW, OLD, PROMETHEUS, OPENTELEMETRY)

MULTIPROCESS = Participant(
    "multiprocess",
    "prometheus_client, multiprocess mode",
    "prometheus_client",
    "instead.multiprocess",
    "import prometheus_client",
)
SENTRY = Participant("sentry", "sentry_sdk", "sentry-sdk", "instead.sentry", "import sentry_sdk")
CPROFILE = Participant("cprofile", "cProfile", "", "instead.cprofile", "import cProfile")
YAPPI = Participant("yappi", "yappi", "yappi", "instead.yappi", "import yappi")
VIZTRACER = Participant(
    "viztracer", "VizTracer", "viztracer", "instead.viztracer", "import viztracer"
)
PYINSTRUMENT = Participant(
    "pyinstrument", "pyinstrument", "pyinstrument", "instead.pyinstrument", "import pyinstrument"
)
INSTEAD = (MULTIPROCESS, SENTRY, CPROFILE, YAPPI, VIZTRACER, PYINSTRUMENT)
"""What one could pick instead: a nested call is measured, nothing else."""


@dataclass(frozen=True)
class Installed:
    """A participant in an environment."""

    participant: Participant
    python: str
    version: str
    python_version: str


def installed(participant: Participant, python: str) -> Installed | None:
    """Find out the versions; None if there is no such interpreter or it lacks the package."""
    if not Path(python).exists():
        return None
    done = subprocess.run(
        [python, "-c", PROBE, participant.package],
        capture_output=True,
        text=True,
        timeout=PROBE_TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        return None
    version, python_version = json.loads(done.stdout)
    return Installed(participant, python, version, python_version)


def found(ours: str, oracle: str, peers: str) -> tuple[Sequence[Installed], Sequence[Participant]]:
    """
    Participants that are there, and those that are not.

    Raises:
        ValueError: their interpreters are of different versions.
    """
    pythons = {OLD: oracle, NEW: ours, PROMETHEUS: peers, OPENTELEMETRY: peers}
    tried = {one: installed(one, pythons[one]) for one in PARTICIPANTS}
    there = [one for one in tried.values() if one is not None]
    versions = {one.python_version for one in there}
    if len(versions) > 1:
        raise ValueError(f"participants run on different Python versions: {sorted(versions)}")
    return there, [participant for participant, one in tried.items() if one is None]


def found_instead(peers: str, python_version: str) -> Sequence[Installed]:
    """What one could pick instead, as far as it is there for this version of Python."""
    tried = (installed(one, peers) for one in INSTEAD)
    return [one for one in tried if one is not None and one.python_version == python_version]
