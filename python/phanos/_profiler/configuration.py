"""Configuration of a profiler: arguments and dicts, checked, and put in force as a whole."""

from __future__ import annotations

import contextlib
import inspect
import warnings
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any, Literal, cast

from phanos._arguments.suggestions import did_you_mean
from phanos._loggers import logger_of
from phanos._watching.replaced import in_force
from phanos.types import LoggerLike

from . import environment
from .ignored_errors import IgnoredErrors, handled_is_ignored
from .options import Naming, Options
from .plan import checked_handler
from .protocols import ProfilerProtocol
from .snapshot import Snapshot
from .steps import AsyncExtProfiler, SyncExtProfiler

if TYPE_CHECKING:
    from typing_extensions import Never

TIME_PROFILER = "time_profiler"
"""Name of the built-in metric of durations."""
RESPONSE_SIZE = "response_size"
"""Name of the built-in metric of response sizes."""


class Settings:
    """
    Checked arguments of a configuration.

    This is where the arguments of `config` and `async_config` are listed, with their defaults.

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
        *,
        sample_rate: float = 1.0,
        time_decimals: int = 2,
        response_size_of: Literal["object", "body"] = "object",
        ignored_errors: IgnoredErrors = None,
        names: Literal["short", "qualified", "qualified-by-object"] = "short",
        fold_recursion: bool | None = None,
        max_depth: int | None = None,
        max_paths: int | None = None,
        **kwargs: Never,
    ) -> None:
        if not isinstance(job, str):
            raise TypeError(f"job must be a str, got {job!r}")
        self.job = environment.job(job)
        self.time_profile = _flag("time_profile", time_profile)
        old_size = _flag("request_size_profile", request_size_profile)
        self.response_size_profile = (
            _flag("response_size_profile", response_size_profile) or old_size
        )
        self.handle_records = environment.enabled(_flag("handle_records", handle_records))
        if response_size_of not in ("object", "body"):
            raise ValueError(
                f"response_size_of must be 'object' or 'body', got {response_size_of!r}"
            )
        self.options = Options(
            sample_rate=environment.sample_rate(
                environment.checked_rate("sample_rate", sample_rate)
            ),
            time_decimals=_decimals(time_decimals),
            response_size_of=response_size_of,
            ignores=handled_is_ignored(ignored_errors),
            naming=_naming(names, fold_recursion, max_depth, max_paths),
        )
        self.error_raised_label = _flag("error_raised_label", error_raised_label)
        self.logger = logger_of(logger, "phanos.publisher")
        self.unknown = [name + did_you_mean(name, _ARGUMENTS) for name in sorted(kwargs)]
        if old_size:
            warnings.warn(
                "request_size_profile is deprecated: use response_size_profile",
                DeprecationWarning,
                stacklevel=3,  # The caller of the method that makes these settings.
            )


_ARGUMENTS = frozenset(inspect.signature(Settings).parameters) - {"kwargs"}


def in_current_form(
    args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """
    Return arguments for `Settings`, given as to `config`.

    The form of 0.1, `config(logger, time_profile, resp_size_profile, handle_records)`, is known by
    the bool in second place.
    """
    kwargs = _renamed(kwargs)
    if len(args) < 2 or not isinstance(args[1], bool):
        return args, kwargs
    names = ("logger", "time_profile", "response_size_profile", "handle_records")
    if len(args) > len(names):
        raise TypeError(
            f"config with a bool in second place takes {', '.join(names)}: "
            f"got {len(args)} positional arguments"
        )
    # In 0.1 everything was on by default.
    given = dict(zip(names, args, strict=False))
    return (), {"response_size_profile": True, **given, **kwargs}


def _renamed(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments with a name of 0.1 replaced."""
    renamed = dict(arguments)
    if "resp_size_profile" in renamed:
        renamed["response_size_profile"] = renamed.pop("resp_size_profile")
    return renamed


_MAX_DEPTH, _MAX_PATHS = 50, 10_000
"""Limits of qualified names, unless others are given."""

_LARGEST = 100_000
"""As many paths are remembered."""


def _naming(names: Any, fold_recursion: Any, max_depth: Any, max_paths: Any) -> Naming:
    if names not in ("short", "qualified", "qualified-by-object"):
        raise ValueError(
            f"names must be 'short', 'qualified' or 'qualified-by-object', got {names!r}"
        )
    is_qualified = names != "short"
    folds = is_qualified if fold_recursion is None else _flag("fold_recursion", fold_recursion)
    return Naming(
        is_qualified,
        names == "qualified-by-object",
        folds,
        _limit("max_depth", max_depth, _MAX_DEPTH if is_qualified else 0),
        _limit("max_paths", max_paths, _MAX_PATHS if is_qualified else 0),
    )


def _limit(name: str, value: Any, default: int) -> int:
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int, got {value!r}")
    if not 0 <= value <= _LARGEST:
        raise ValueError(f"{name} must be from 1 to {_LARGEST}, or 0 for no limit, got {value!r}")
    return value


def _decimals(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"time_decimals must be an int, got {value!r}")
    if not 0 <= value <= 6:
        raise ValueError(f"time_decimals must be from 0 to 6, got {value!r}")
    return value


def _flag(name: str, value: Any) -> bool:
    if value not in (True, False, None):
        raise TypeError(f"{name} must be a bool, got {value!r}")
    return bool(value)


def arguments_of(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments for `Settings` in a configuration dict."""
    if not isinstance(settings, Mapping):
        raise TypeError(f"expected a configuration dict, got {settings!r}")
    if "job" not in settings and not environment.job(""):
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


def configure(
    profiler: ProfilerProtocol,
    steps: type[SyncExtProfiler] | type[AsyncExtProfiler],
    settings: Settings,
    new_handlers: Mapping[str, Any] | None = None,
    *,
    time_first: bool = False,
) -> None:
    """
    Put `settings` in force; if it raises, nothing has changed, but records were handed over.

    Args:
        profiler: the profiler to configure.
        steps: the class of its `profile_ext`.
        settings: the arguments of the configuration.
        new_handlers: handlers to add to those that are attached.
        time_first: create the metric of durations before that of response sizes: the order in
            which their records are handed over.

    Raises:
        ValueError: an asynchronous handler for synchronous steps.
    """
    with _restored_on_error(profiler):
        handlers = list((new_handlers or {}).values())
        is_async = steps is AsyncExtProfiler
        for handler in (*profiler.handlers.values(), *handlers):
            checked_handler(handler, may_be_async=is_async)
        profiler._hand_over()
        profiler.logger = profiler.tree.logger = profiler.tree.root.logger = settings.logger
        if settings.unknown:
            profiler.warning(
                "configuration has unknown keys, ignored: %s", ", ".join(settings.unknown)
            )
        profiler.job = settings.job
        profiler.error_raised_label = settings.error_raised_label
        profiler._options = settings.options
        builtins = [
            (RESPONSE_SIZE, settings.response_size_profile, profiler.create_response_size_profiler),
            (TIME_PROFILER, settings.time_profile, profiler.create_time_profiler),
        ]
        for name, wanted, create in reversed(builtins) if time_first else builtins:
            if wanted:
                create()
            elif name in profiler.metrics:
                profiler.delete_metric(name)
        if is_async:
            # Now rather than in the first call that has a batch for it: it imports asyncio.
            profiler._make_dispatcher()
        profiler.profile_ext = in_force(steps.__name__, steps)(profiler)
        for handler in handlers:
            profiler.add_handler(handler)
        profiler.handle_records = settings.handle_records
        profiler.debug("Profiler configured successfully")


@contextlib.contextmanager
def _restored_on_error(profiler: ProfilerProtocol) -> Generator[None]:
    """If the block raises, make the configuration of `profiler` again what it was before."""
    before = Snapshot(profiler)
    try:
        yield
    except BaseException:
        before.restore()
        raise
