"""
Settings that a program finds in its environment; they count more than its code.

A variable that is empty counts as one that is not there.
"""

from __future__ import annotations

import os

ENABLED = "PHANOS_ENABLED"
"""Whether profilers record: `1`, `true`, `yes`, `on`, or `0`, `false`, `no`, `off`."""
SAMPLE_RATE = "PHANOS_SAMPLE_RATE"
"""Share of the trees that are recorded, from 0 to 1."""
JOB = "PHANOS_JOB"
"""Prometheus job label."""

_FLAGS = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}


def enabled(otherwise: bool) -> bool:
    """Return what `PHANOS_ENABLED` says; ValueError if it is neither yes nor no."""
    given = os.environ.get(ENABLED, "").strip().lower()
    if given and given not in _FLAGS:
        raise ValueError(f"{ENABLED} must be one of {', '.join(_FLAGS)}, got {given!r}")
    return _FLAGS.get(given, otherwise)


def sample_rate(otherwise: float) -> float:
    """Return what `PHANOS_SAMPLE_RATE` says; ValueError if it is no number from 0 to 1."""
    given = os.environ.get(SAMPLE_RATE, "").strip()
    if not given:
        return otherwise
    try:
        return checked_rate(SAMPLE_RATE, float(given))
    except ValueError:
        raise ValueError(f"{SAMPLE_RATE} must be a number from 0 to 1, got {given!r}") from None


def job(otherwise: str) -> str:
    """Return what `PHANOS_JOB` says."""
    return os.environ.get(JOB) or otherwise


def checked_rate(name: str, rate: object) -> float:
    """Return `rate` as a float, or raise what says that it must be a number from 0 to 1."""
    if isinstance(rate, bool) or not isinstance(rate, (int, float)):
        raise TypeError(f"{name} must be a number from 0 to 1, got {rate!r}")
    if not 0 <= rate <= 1:
        raise ValueError(f"{name} must be a number from 0 to 1, got {rate!r}")
    return float(rate)
