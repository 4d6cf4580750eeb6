"""Which objects can be handlers, and how each kind is served."""

from __future__ import annotations

import inspect
from typing import Any

from ._overridden import overridden
from ._phanos import Delivery
from .handlers import (
    AsyncBaseHandler,
    AsyncImpProfHandler,
    ImpProfHandler,
    LoggerHandler,
    NamedLoggerHandler,
    OutputFormatter,
    StreamHandler,
)


def checked_handler(handler: Any, may_be_async: bool) -> str:
    """Return the name of a handler that can be added, or raise what `add_handler` says."""
    name = getattr(handler, "handler_name", None)
    if inspect.isclass(handler) or not callable(getattr(handler, "handle", None)):
        raise TypeError(f"add_handler expects a handler with a handle method, got {handler!r}")
    if not isinstance(name, str) or not name:
        raise TypeError(
            f"add_handler expects a handler with a str as handler_name, got {name!r} of {handler!r}"
        )
    if is_async(handler) and not may_be_async:
        raise ValueError(
            f"Handler {name!r} is asynchronous, but profiler is synchronous: configure it with "
            "async_config or async_dict_config"
        )
    return name


def is_async(handler: Any) -> bool:
    """Tell whether batches for `handler` are awaited."""
    return isinstance(handler, AsyncBaseHandler) or inspect.iscoroutinefunction(
        getattr(handler, "handle", None)
    )


def direct_delivery(handler: Any) -> Delivery | None:
    """Return where the core puts rows down for `handler`, if nobody changed what it does."""
    for base in (ImpProfHandler, AsyncImpProfHandler):
        if (
            isinstance(handler, base)
            and not overridden(handler, base, ("handle", "_take", "_log_notices"))
            # Also for those whose constructor was overridden and not called.
            and type(getattr(handler, "formatter", None)) is OutputFormatter
            and hasattr(handler, "publisher")
            and not handler._has_own_publisher()
            and not handler.synchronous
        ):
            return handler._delivery
    return None


def handler_kind(handler: Any) -> str:
    """Tell how the core serves `handler`: stream, logger, rabbitmq, python or async."""
    if direct_delivery(handler) is not None:
        return "rabbitmq"
    if is_async(handler):
        return "async"
    for base, kind in (
        (StreamHandler, "stream"),
        (NamedLoggerHandler, "logger"),
        (LoggerHandler, "logger"),
    ):
        if isinstance(handler, base):
            plain = (
                not overridden(handler, base, ("handle", "_text"))
                and type(getattr(handler, "formatter", None)) is OutputFormatter
            )
            return kind if plain else "python"
    return "python"
