"""Configuration of a profiler, by arguments and by dicts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from ._components import RESPONSE_SIZE, TIME_PROFILER, Components
from ._ext import AsyncExtProfiler, SyncExtProfiler
from ._handler_kind import checked_handler
from ._rollback import all_or_nothing
from ._settings import Settings, arguments_of, handlers_of, takes_arguments_of
from .config import create_async_handlers, create_handlers

if TYPE_CHECKING:
    from ._profiler import Profiler


class Configuring(Components):
    """The part of `Profiler` that is called once, before all others."""

    @takes_arguments_of(Settings)
    def config(self, settings: Settings) -> None:
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
            **kwargs: ignored; a warning names them.

        Raises:
            TypeError: an argument of the wrong type.
            ValueError: an asynchronous handler is attached.

        If it raises, nothing has changed.
        """
        self._configure(SyncExtProfiler, settings)

    @takes_arguments_of(Settings)
    def async_config(self, settings: Settings) -> None:
        """Configure for synchronous and asynchronous handlers; arguments as for `config`."""
        self._configure(AsyncExtProfiler, settings)

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
        handlers = create_handlers(handlers_of(settings))
        self._configure(SyncExtProfiler, checked, handlers, time_first=True)

    async def async_dict_config(self, settings: Mapping[str, Any]) -> None:
        """Configure by a dict, for handlers of both kinds; see `dict_config`."""
        checked = Settings(**arguments_of(settings))
        handlers = await create_async_handlers(handlers_of(settings))
        self._configure(AsyncExtProfiler, checked, handlers, time_first=True)

    @all_or_nothing
    def _configure(
        self,
        steps: type[SyncExtProfiler] | type[AsyncExtProfiler],
        settings: Settings,
        handlers: Mapping[str, Any] | None = None,
        *,
        time_first: bool = False,
    ) -> None:
        new_handlers = list((handlers or {}).values())
        for handler in (*self.handlers.values(), *new_handlers):
            checked_handler(handler, may_be_async=steps is AsyncExtProfiler)
        self._hand_over()
        self.logger = self.tree.logger = self.tree.root.logger = settings.logger
        if settings.unknown:
            self.warning("configuration has unknown keys, ignored: %s", ", ".join(settings.unknown))
        self.job = settings.job
        self.error_raised_label = settings.error_raised_label
        builtins = [
            (RESPONSE_SIZE, settings.response_size_profile, self.create_response_size_profiler),
            (TIME_PROFILER, settings.time_profile, self.create_time_profiler),
        ]
        for name, wanted, create in reversed(builtins) if time_first else builtins:
            if wanted:
                create()
            elif name in self.metrics:
                self.delete_metric(name)
        if steps is AsyncExtProfiler:
            self._courier()  # Now rather than in the first call that has something for it.
        self.profile_ext = steps(cast("Profiler", self))
        for handler in new_handlers:
            self.add_handler(handler)
        self.handle_records = settings.handle_records
        self.debug("Profiler configured successfully")

    @property
    def error_raised_label(self) -> bool:
        """Whether every record gets the label `error_raised`; can be set."""
        return self._error_raised_label

    @error_raised_label.setter
    def error_raised_label(self, value: bool) -> None:
        self._error_raised_label = bool(value)
        for metric in self.metrics.values():
            if self._error_raised_label:
                metric.label_names.add("error_raised")
            else:
                metric.label_names.discard("error_raised")
