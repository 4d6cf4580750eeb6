"""Types that handlers and loggers are described with."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Protocol, TypedDict, Union

# A union object and not `X | Y`: read at run time by users on 3.10.
LoggerLike = Union[logging.Logger, "logging.LoggerAdapter[Any]"]
"""A logger or an adapter around one."""


BeforeType = Callable[[Callable[..., Any], tuple[Any, ...], dict[str, Any]], object] | None
"""A hook before calls, or none; it may also take its arguments by their names."""

AfterType = Callable[[Any, tuple[Any, ...], dict[str, Any]], object] | None
"""A hook after calls, or none; it may also take its arguments by their names."""

ValueTypes = float | str | dict[str, Any] | tuple[str, float | str | dict[str, Any]]
"""What operations of the built-in metrics record, alone or with the operation's name."""


class Record(TypedDict):
    """One measured value, as handlers get it. Keys are always in this order."""

    item: str
    """The part of `method` before its first `:`."""
    metric: str
    """Prometheus type: histogram, summary, counter, gauge, info or enum."""
    units: str
    job: str
    method: str
    """Context of the call: `Owner:root.child.leaf`."""
    labels: dict[str, Any]
    value: tuple[str, Any]
    """Operation and its value, such as `("observe", 0.09)`."""


class MetricLike(Protocol):
    """What a profiler needs of a metric."""

    @property
    def name(self) -> Any:
        """Name under which handlers get the records."""

    @property
    def label_names(self) -> Any:
        """A set of names; `error_raised` is put into it and taken out of it."""

    def to_records(self) -> Any:
        """Return the waiting records, a list; nothing, or an empty one, if there are none."""

    def cleanup(self) -> Any:
        """Forget the waiting records; called after `to_records`."""


class HandlerLike(Protocol):
    """What a profiler needs of a handler."""

    @property
    def handler_name(self) -> Any:
        """Name under which the profiler knows the handler."""

    def handle(self, records: list[Record], profiler_name: str = ..., /) -> Any:
        """Take the records of one metric."""
