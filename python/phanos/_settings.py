"""Arguments of a configuration: their checks, old calling forms, what dicts say."""

from __future__ import annotations

import functools
import inspect
import logging
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from .types import LoggerLike

P = ParamSpec("P")
S = TypeVar("S")
"""What is configured."""


class Settings:
    """
    Checked arguments of a configuration.

    This is where the arguments of `config` and `async_config` are listed.

    Raises:
        TypeError: an argument of the wrong type.
    """

    def __init__(
        self,
        logger: LoggerLike | str | None = None,
        job: str | bool = "",
        time_profile: bool = True,
        request_size_profile: bool = False,
        response_size_profile: bool = False,
        handle_records: bool = True,
        error_raised_label: bool = True,
        **kwargs: Any,
    ) -> None:
        if not isinstance(job, str):
            raise TypeError(f"job must be a str, got {job!r}")
        self.job = job
        self.time_profile = _flag("time_profile", time_profile)
        old_size = _flag("request_size_profile", request_size_profile)
        self.response_size_profile = (
            _flag("response_size_profile", response_size_profile) or old_size
        )
        self.handle_records = _flag("handle_records", handle_records)
        self.error_raised_label = _flag("error_raised_label", error_raised_label)
        self.logger = _logger_of(logger)
        self.unknown = sorted(kwargs)
        if old_size:
            warnings.warn(
                "request_size_profile is deprecated: use response_size_profile",
                DeprecationWarning,
                stacklevel=3,  # Whoever called what made these.
            )


def takes_arguments_of(
    settings: Callable[P, Settings],
) -> Callable[[Callable[[S, Settings], None]], Callable[Concatenate[S, P], None]]:
    """
    Let a method that takes settings be called with the arguments they are made from.

    The 0.1 form `config(logger, time_profile, resp_size_profile, handle_records)` works too.
    """
    make: Callable[..., Settings] = settings

    def decorate(configure: Callable[[S, Settings], None]) -> Callable[Concatenate[S, P], None]:
        @functools.wraps(configure)
        def accept(self: S, /, *args: P.args, **kwargs: P.kwargs) -> None:
            args_now, kwargs_now = _in_new_form(args, kwargs)
            configure(self, make(*args_now, **kwargs_now))

        own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
        signature = inspect.signature(make)
        shown: Any = accept
        shown.__signature__ = signature.replace(
            parameters=[own, *signature.parameters.values()], return_annotation="None"
        )
        return accept

    return decorate


def _in_new_form(
    args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    kwargs = _renamed(kwargs)
    if len(args) < 2 or not isinstance(args[1], bool):
        return args, kwargs
    names = ("logger", "time_profile", "response_size_profile", "handle_records")
    if len(args) > len(names):
        raise TypeError(
            f"config with a bool in second place takes {', '.join(names)}: "
            f"got {len(args)} positional arguments"
        )
    # In that generation everything was on by default.
    given = dict(zip(names, args, strict=False))
    return (), {"response_size_profile": True, **given, **kwargs}


def _renamed(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments with the 0.1 name replaced."""
    renamed = dict(arguments)
    if "resp_size_profile" in renamed:
        renamed["response_size_profile"] = renamed.pop("resp_size_profile")
    return renamed


def _flag(name: str, value: Any) -> bool:
    if value not in (True, False, None):
        raise TypeError(f"{name} must be a bool, got {value!r}")
    return bool(value)


def _logger_of(logger: LoggerLike | str | None) -> LoggerLike:
    if logger is None:
        return logging.getLogger("phanos.publisher")
    if isinstance(logger, str):
        return logging.getLogger(logger)
    if not callable(getattr(logger, "log", None)):
        raise TypeError(f"logger must be a logger or the name of one, got {logger!r}")
    return logger


def checked_timeout(timeout_s: float) -> None:
    """Raise TypeError unless `timeout_s` is a number of seconds >= 0."""
    if isinstance(timeout_s, bool) or not isinstance(timeout_s, (int, float)) or timeout_s < 0:
        raise TypeError(f"timeout_s must be a number of seconds >= 0, got {timeout_s!r}")


def arguments_of(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments for `Settings` in a configuration dict."""
    if not isinstance(settings, Mapping):
        raise TypeError(f"expected a configuration dict, got {settings!r}")
    if "job" not in settings:
        raise KeyError(f"'job' is missing in configuration dict, got keys {sorted(settings)}")
    return _renamed({name: value for name, value in settings.items() if name != "handlers"})


def handlers_of(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the settings of handlers in a configuration dict."""
    given = settings.get("handlers")
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise TypeError(f"handlers must be a dict of handler settings, got {given!r}")
    return cast("Mapping[str, Any]", given)
