"""How a profiler is configured: by arguments, or by a dict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast
from typing import Literal as Literal  # Named in the signature of `config`, as are the others.

from . import config as handler_config
from ._configuration import (
    Settings,
    arguments_of,
    configure,
    handlers_of,
    in_current_form,
)
from ._ext import AsyncExtProfiler, SyncExtProfiler
from ._ignored_errors import IgnoredErrors as IgnoredErrors
from ._protocols import ProfilerProtocol
from ._signatures import declares
from .types import LoggerLike as LoggerLike


class Configuring:
    """The part of a profiler that takes its settings."""

    @declares(Settings)
    def config(self, /, *args: Any, **kwargs: Any) -> None:
        """
        Configure for synchronous handlers; handlers that are attached stay.

        Args:
            logger: a logger or the name of one; by default `phanos.publisher`.
            job: Prometheus job label. A bool here means the arguments of phanos 0.1:
                `config(logger, time_profile, resp_size_profile, handle_records)`.
            time_profile: measure durations.
            request_size_profile: old name of response_size_profile, deprecated.
            response_size_profile: measure the size of what root calls return.
            handle_records: False turns the profiler off.
            error_raised_label: give every record the label `error_raised`.
            sample_rate: share of the trees that are recorded, from 0 to 1.
            time_decimals: decimals of the milliseconds in records, from 0 to 6.
            response_size_of: `object` measures what a root call returns as `sys.getsizeof` does;
                `body` the bytes of a text, or of the body of a response, where they are known.
            names: `qualified` puts the class of each call into paths: `Orders.get > Stock.reserve`.
            fold_recursion: calls of a function within itself share one path, `walk*`; by default
                with qualified names.
            max_depth: deeper calls share one path; 0 for no limit, 50 with qualified names.
            max_paths: calls whose paths would be more share one; 0 for no limit, 10,000 with
                qualified names.
            ignored_errors: exceptions that are no errors, for the label `error_raised` of the
                built-in metrics: classes, or a function that tells of one.
            **kwargs: ignored; a warning names them.

        Raises:
            TypeError: an argument of the wrong type.
            ValueError: an asynchronous handler is attached.

        If it raises, nothing has changed. `PHANOS_ENABLED`, `PHANOS_SAMPLE_RATE` and `PHANOS_JOB`
        of the environment count more than `handle_records`, `sample_rate` and `job`.
        """
        args, kwargs = in_current_form(args, kwargs)
        configure(cast("ProfilerProtocol", self), SyncExtProfiler, Settings(*args, **kwargs))

    @declares(Settings)
    def async_config(self, /, *args: Any, **kwargs: Any) -> None:
        """Configure for synchronous and asynchronous handlers; arguments as for `config`."""
        args, kwargs = in_current_form(args, kwargs)
        configure(cast("ProfilerProtocol", self), AsyncExtProfiler, Settings(*args, **kwargs))

    def dict_config(self, settings: Mapping[str, Any]) -> None:
        """
        Configure by a dict, for synchronous handlers.

        Args:
            settings: the arguments of `config` by name, `job` being required, and
                `handlers`: `{key: {"class": class or dotted name, **arguments}}`. Values of
                arguments that start `ext://` are imported. The dict is not changed.

        Raises:
            KeyError: `job` is missing, or `class` of a handler.
            ValueError: a handler is asynchronous.
            ImportError, AttributeError: a class or an `ext://` value cannot be imported.
            TypeError: a value of the wrong type, or wrong arguments for a handler.

        If it raises, nothing has changed.
        """
        checked = Settings(**arguments_of(settings))
        handlers = handler_config.create_handlers(handlers_of(settings))
        configure(
            cast("ProfilerProtocol", self), SyncExtProfiler, checked, handlers, time_first=True
        )

    async def async_dict_config(self, settings: Mapping[str, Any]) -> None:
        """Configure by a dict, for handlers of both kinds; see `dict_config`."""
        checked = Settings(**arguments_of(settings))
        handlers = await handler_config.create_async_handlers(handlers_of(settings))
        configure(
            cast("ProfilerProtocol", self), AsyncExtProfiler, checked, handlers, time_first=True
        )
