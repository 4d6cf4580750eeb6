"""Arguments of the handler for Prometheus, checked, as settings."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypedDict

from .checks import directory, mapping, port_of, seconds_of, text_without_nul, whole

SPOOL_ADOPT_S = 10.0
"""Seconds between two searches of a spool directory for files of dead processes."""


class MetricOptions(TypedDict, total=False):
    """What can be chosen for one metric, by its name."""

    buckets: Sequence[float]
    """Upper bounds of classic buckets in the base unit (seconds, bytes), rising."""
    gauge_policy: str
    time_to_live_s: float


class MetricSettings(NamedTuple):
    """The same, checked."""

    name: str
    buckets: list[float] | None
    gauge_policy: str | None
    time_to_live_s: float | None


class HostSettings(NamedTuple):
    """
    How the processes of this machine count together, checked.

    The native `delivery_on_host` reads the attributes by these names.
    """

    port: int
    address: str
    state_directory: str | None
    runtime_directory: str | None
    token: str | None
    max_series: int
    zero_first_s: float
    time_to_live_s: float
    gauge_policy: str
    job_label: str
    metrics: list[MetricSettings]
    buffer_bytes: int
    spool_directory: str | None
    spool_bytes: int
    spool_adopt_s: float

    def __repr__(self) -> str:
        """Name the place alone: the token is printed nowhere."""
        return f"HostSettings({self.address}:{self.port})"


def host_settings(arguments: Mapping[str, Any]) -> HostSettings:
    """
    Check the arguments of a handler, given by name.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: a value out of range.
    """
    address = text_without_nul("address", arguments["address"])
    return HostSettings(
        port=port_of(arguments["port"], 1),
        address="127.0.0.1" if address == "localhost" else address.strip("[]"),
        state_directory=directory("state_directory", arguments["state_directory"]),
        runtime_directory=directory("runtime_directory", arguments["runtime_directory"]),
        token=_token(arguments["token"]),
        max_series=whole("max_series", arguments["max_series"], 2**31),
        zero_first_s=seconds_of("zero_first_s", arguments["zero_first_s"]),
        time_to_live_s=seconds_of("time_to_live_s", arguments["time_to_live_s"]),
        gauge_policy=text_without_nul("gauge_policy", arguments["gauge_policy"]),
        job_label=text_without_nul("job_label", arguments["job_label"]),
        metrics=_metrics(arguments["metrics"]),
        buffer_bytes=whole("buffer_bytes", arguments["buffer_bytes"], 2**62, 1),
        spool_directory=directory("spool_directory", arguments["spool_directory"]),
        spool_bytes=whole("spool_bytes", arguments["spool_bytes"], 2**62),
        spool_adopt_s=SPOOL_ADOPT_S,
    )


def _token(given: Any) -> str | None:
    if given is None:
        return None
    if not isinstance(given, str):
        # No text of an error shows it.
        raise TypeError(f"token must be a str, got {type(given).__name__}")
    return given


def _metrics(given: Any) -> list[MetricSettings]:
    if given is None:
        return []
    return [_metric(name, options) for name, options in mapping("metrics", given).items()]


def _metric(name: Any, given: Any) -> MetricSettings:
    shown = f"metrics: {name}"
    options = dict(mapping(shown, given))
    buckets = options.pop("buckets", None)
    policy = options.pop("gauge_policy", None)
    time_to_live = options.pop("time_to_live_s", None)
    if options:
        known = ", ".join(MetricOptions.__annotations__)
        raise ValueError(f"{shown}: expected of {known}, got {sorted(map(str, options))}")
    return MetricSettings(
        name=text_without_nul("metrics: a name", name),
        buckets=None if buckets is None else _numbers(f"{shown}: buckets", buckets),
        gauge_policy=None if policy is None else text_without_nul(f"{shown}: gauge_policy", policy),
        time_to_live_s=None
        if time_to_live is None
        else seconds_of(f"{shown}: time_to_live_s", time_to_live),
    )


def _numbers(name: str, given: Any) -> list[float]:
    if isinstance(given, (str, bytes)) or not hasattr(given, "__iter__"):
        raise TypeError(f"{name} must be numbers, got {given!r}")
    try:
        return [float(number) for number in given]
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be numbers, got {given!r}") from None


Path = str | os.PathLike[str]
"""A path as arguments have it."""
