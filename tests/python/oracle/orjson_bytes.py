"""
Serialises values with orjson, for interpreters that have it.

Reads pickled lists of values from standard input, or None for the cases of `json_subjects.py`:
some of them would not survive pickle as they are. Answers each by a pickled list on standard
output: what `orjson.dumps([value])` returned, or None where it refused. Needs orjson and the
standard library alone.
"""

from __future__ import annotations

import pickle
import sys
from typing import Any

import orjson
from json_subjects import CASES


def dumped(value: Any) -> bytes | None:
    try:
        return orjson.dumps([value])
    except TypeError:
        return None


def main() -> None:
    while True:
        try:
            values = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        if values is None:
            values = list(CASES.values())
        pickle.dump([dumped(value) for value in values], sys.stdout.buffer)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
