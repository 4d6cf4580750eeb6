"""phanos 0.3.2 beside these tests, in the environment that the differential test uses."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from support import SUBPROCESS_DEADLINE_S

FOLDER = Path(__file__).parent
REPOSITORY = FOLDER.parents[2]
KINDS = ("blocking", "asyncio", "handler", "async-handler")


def oracle_python() -> Path:
    """Path of the interpreter that has phanos 0.3.2."""
    given = os.environ.get("PHANOS_ORACLE_PYTHON")
    python = Path(given) if given else REPOSITORY / ".oracle" / "bin" / "python"
    assert python.is_file(), f"no {python}; `make .oracle/.oracle`, or set PHANOS_ORACLE_PYTHON"
    return python


def oracle_publishes(kind: str, port: int, *batches: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """
    Return what 0.3.2 said to each batch, see `oracle_publish.py`.

    Raises `AssertionError` with its errors if it did not get as far as that.
    """
    # -E: what PYTHONPATH leads to here is not 0.3.2.
    answer = subprocess.run(
        [oracle_python(), "-E", str(FOLDER / "oracle_publish.py"), kind, str(port)],
        input="".join(json.dumps(batch) + "\n" for batch in batches),
        capture_output=True,
        text=True,
        timeout=SUBPROCESS_DEADLINE_S,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    return [json.loads(line) for line in answer.stdout.splitlines()]
