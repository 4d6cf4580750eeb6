"""What the library logged during a test, and metric names under which nothing was logged before."""

from __future__ import annotations

import itertools
import logging

import pytest

_numbers = itertools.count(1)


def fresh_name(stem: str) -> str:
    """
    A metric name that no test used before.

    Errors of a metric are told once a minute by its name, whichever object carries it: a test
    that reads them must be the first.
    """
    return f"{stem}_{next(_numbers)}"


def at_level(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    """Messages of the library at exactly `level`, oldest first."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelno == level and record.name.partition(".")[0] == "phanos"
    ]


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Messages of the library at level ERROR, oldest first."""
    return at_level(caplog, logging.ERROR)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Messages of the library at level WARNING, oldest first."""
    return at_level(caplog, logging.WARNING)
