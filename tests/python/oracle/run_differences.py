"""
Runs the programs of `differences.py` under whichever `phanos` this interpreter has.

Reads a JSON list of identifiers from standard input and writes their outcomes, a JSON object, to
standard output. A program that raises has the traceback as its outcome.
"""

from __future__ import annotations

import contextvars
import importlib
import json
import logging
import sys
import traceback
from pathlib import Path
from typing import Any

from differences import REGISTRY


def load() -> None:
    """Import every module that registers differences."""
    for file in sorted(Path(__file__).parent.glob("differences_*.py")):
        importlib.import_module(file.stem)


def run(identifier: str) -> Any:
    try:
        return contextvars.Context().run(REGISTRY[identifier].program)
    except BaseException:
        return traceback.format_exc()


def main() -> None:
    # What phanos logs about errors is expected and would fill the terminal.
    logging.getLogger().addHandler(logging.NullHandler())
    load()
    json.dump({identifier: run(identifier) for identifier in json.load(sys.stdin)}, sys.stdout)


if __name__ == "__main__":
    main()
