"""
Runs the programs of `replacements.py` under whichever `phanos` this interpreter has.

Reads a JSON list of names from standard input and writes their outcomes, a JSON object, to
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

from replacements import REPLACEMENTS


def load() -> None:
    """Import every module that registers replacements."""
    for file in sorted(Path(__file__).parent.glob("replacements_*.py")):
        importlib.import_module(file.stem)


def run(name: str) -> Any:
    try:
        return contextvars.Context().run(REPLACEMENTS[name])
    except BaseException:
        return traceback.format_exc()


def main() -> None:
    logging.getLogger().addHandler(logging.NullHandler())
    load()
    json.dump({name: run(name) for name in json.load(sys.stdin)}, sys.stdout)


if __name__ == "__main__":
    main()
