"""The two interpreters that the differential test compares, and how programs reach them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
REPOSITORY = FOLDER.parents[2]
UPSTREAM_VERSION = "0.3.2"
DEADLINE_S = 50.0
# Prints what is needed to be sure that two different packages are compared.
IDENTIFY = """
import importlib.metadata, json, sys, phanos
version = getattr(phanos, "__version__", None) or importlib.metadata.version("phanos")
print(json.dumps([version, phanos.__file__, sys.version_info[:2]]))
"""


class MissingOracleError(Exception):
    """There is no interpreter with phanos 0.3.2: nothing can be compared."""


def upstream_python() -> str:
    """Path of the interpreter that has phanos 0.3.2 installed."""
    given = os.environ.get("PHANOS_ORACLE_PYTHON")
    python = Path(given) if given else REPOSITORY / ".oracle" / "bin" / "python"
    if not python.is_file():
        raise MissingOracleError(
            f"the differential test needs phanos {UPSTREAM_VERSION} in an environment of its own, "
            f"but there is no interpreter {python}. Create one:\n"
            f"    python -m venv .oracle\n"
            f"    .oracle/bin/python -m pip install phanos=={UPSTREAM_VERSION}\n"
            "or name another in PHANOS_ORACLE_PYTHON."
        )
    return str(python)


def our_python() -> list[str]:
    """The interpreter under test is the one that runs the tests; its warnings are errors."""
    return [sys.executable, "-X", "faulthandler", "-W", "error"]


def identify(python: list[str]) -> tuple[str, str, tuple[int, int]]:
    """Version and file of the phanos that `python` imports, and its own version."""
    answer = _run([*python, "-c", IDENTIFY], "")
    version, file, python_version = json.loads(answer)
    return version, file, (python_version[0], python_version[1])


def run_script(python: list[str], script: str, subject: Any) -> Any:
    """What `script` of this folder answers, as JSON, to `subject` on its standard input."""
    return json.loads(_run([*python, str(FOLDER / script)], json.dumps(subject)))


def run_both(script: str, subject: Any) -> tuple[Any, Any]:
    """Answers of phanos 0.3.2 and of ours, asked at the same time."""
    with ThreadPoolExecutor(2) as pool:
        upstream = pool.submit(run_script, [upstream_python()], script, subject)
        ours = pool.submit(run_script, our_python(), script, subject)
        return upstream.result(), ours.result()


def _run(command: list[str], text: str) -> str:
    # The folder of the tests must not be searched for phanos, whatever the caller's settings.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        command,
        input=text,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=DEADLINE_S,
        env={**environment, "PYTHONIOENCODING": "utf-8"},
        check=False,
    )
    if done.returncode:
        raise RuntimeError(
            f"{command[0]} ended with {done.returncode} running {command[-1]}:\n{done.stderr}"
        )
    return done.stdout
