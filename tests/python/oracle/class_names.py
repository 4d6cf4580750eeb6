"""
Says which public attributes the classes of whichever `phanos` this interpreter has show.

Reads a JSON list of modules from standard input, and writes an object: dotted names of classes to
names of attributes.
"""

from __future__ import annotations

import importlib
import inspect
import json
import sys
from typing import Any


def names_of(module: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in vars(importlib.import_module(module)).items():
        if inspect.isclass(value) and value.__module__.startswith("phanos"):
            shown: Any = dir(value)
            found[f"{module}.{name}"] = [each for each in shown if not each.startswith("_")]
    return found


if __name__ == "__main__":
    answer: dict[str, list[str]] = {}
    for module in json.load(sys.stdin):
        answer |= names_of(module)
    json.dump(answer, sys.stdout)
