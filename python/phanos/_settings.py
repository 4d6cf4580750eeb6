"""Arguments of a configuration: old calling forms, checks, what dicts say."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, cast

from .types import LoggerLike

if TYPE_CHECKING:
    from ._profiler import Profiler

P = ParamSpec("P")
R = TypeVar("R")

_Configure = Callable[Concatenate["Profiler", P], R]


def with_old_form(configure: Callable[Concatenate[Profiler, P], R]) -> _Configure[P, R]:
    """Accept the 0.1 form `config(logger, time_profile, resp_size_profile, handle_records)`."""
    forward: Callable[..., R] = configure

    @functools.wraps(configure)
    def accept(self: Profiler, /, *args: Any, **kwargs: Any) -> R:
        if "resp_size_profile" in kwargs:
            kwargs["response_size_profile"] = kwargs.pop("resp_size_profile")
        if len(args) >= 2 and isinstance(args[1], bool):
            names = ("logger", "time_profile", "response_size_profile", "handle_records")
            if len(args) > len(names):
                raise TypeError(
                    f"config with a bool in second place takes {', '.join(names)}: "
                    f"got {len(args)} positional arguments"
                )
            # In that generation everything was on by default.
            kwargs = {
                "response_size_profile": True,
                **dict(zip(names, args, strict=False)),
                **kwargs,
            }
            args = ()
        return forward(self, *args, **kwargs)

    return accept


def logger_of(logger: LoggerLike | str | None) -> LoggerLike:
    if logger is None:
        return logging.getLogger("phanos.publisher")
    if isinstance(logger, str):
        return logging.getLogger(logger)
    if not callable(getattr(logger, "log", None)):
        raise TypeError(f"logger must be a logger or the name of one, got {logger!r}")
    return logger


def checked_timeout(timeout_s: float) -> None:
    if isinstance(timeout_s, bool) or not isinstance(timeout_s, (int, float)) or timeout_s < 0:
        raise TypeError(f"timeout_s must be a number of seconds >= 0, got {timeout_s!r}")


def arguments_of(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments for `_configure` in a configuration dict."""
    if not isinstance(settings, Mapping):
        raise TypeError(f"expected a configuration dict, got {settings!r}")
    if "job" not in settings:
        raise KeyError(f"'job' is missing in configuration dict, got keys {sorted(settings)}")
    arguments = {name: value for name, value in settings.items() if name != "handlers"}
    if "resp_size_profile" in arguments:  # The 0.1 name.
        arguments["response_size_profile"] = arguments.pop("resp_size_profile")
    return arguments


def handlers_of(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    given = settings.get("handlers")
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise TypeError(f"handlers must be a dict of handler settings, got {given!r}")
    return cast("Mapping[str, Any]", given)
