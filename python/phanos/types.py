"""Types that handlers and loggers are described with."""

from __future__ import annotations

import logging
from typing import Any, TypedDict, Union

# A union object and not `X | Y`: read at run time by users on 3.10.
LoggerLike = Union[logging.Logger, "logging.LoggerAdapter[Any]"]
"""A logger or an adapter around one."""


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
