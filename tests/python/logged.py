"""What the library logged during a test, as plain text by level."""

from __future__ import annotations

import logging

import pytest


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
