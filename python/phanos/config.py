"""Handlers from configuration dicts."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any, cast

from . import handlers as _handlers
from ._arguments.suggestions import did_you_mean
from .handlers import AsyncBaseHandler, BaseHandler, SyncBaseHandler

__all__ = [
    "EXTERNAL_PREFIX",
    "create_async_handlers",
    "create_handlers",
    "import_external",
    "inherits_from",
    "parse_arguments",
]

EXTERNAL_PREFIX = "ext://"
"""Values that start with it are imported: `ext://sys.stdout`."""


def import_external(full_name: str) -> Any:
    """
    Import an object by its dotted name; a leading `ext://` is allowed.

    Raises:
        ModuleNotFoundError: no part of the name is a module.
        AttributeError: the module has no such attribute.
        TypeError: full_name is not a string.
    """
    if not isinstance(full_name, str):
        raise TypeError(f"expected a dotted name to import, got {full_name!r}")
    name = full_name.removeprefix(EXTERNAL_PREFIX)
    parts = name.split(".")
    # The longest prefix that is a module; the rest are attributes (nested classes).
    for length in range(max(len(parts) - 1, 1), 0, -1):
        module_name = ".".join(parts[:length])
        try:
            found: Any = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            missing = error.name or ""
            if module_name != missing and not module_name.startswith(f"{missing}."):
                raise  # The module exists; something that it imports does not.
            continue
        for attribute in parts[length:]:
            found = getattr(found, attribute)
        return found
    raise ModuleNotFoundError(
        f"cannot import {full_name!r}: no module named {parts[0]!r}", name=parts[0]
    )


def parse_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy in which string values starting `ext://` are imported."""
    return {
        key: import_external(value)
        if isinstance(value, str) and value.startswith(EXTERNAL_PREFIX)
        else value
        for key, value in arguments.items()
    }


def inherits_from(child: Any, parent_name: str | type) -> bool:
    """Tell whether class `child` is, or inherits from, `parent_name`: a class or its name."""
    name = parent_name if isinstance(parent_name, str) else parent_name.__name__
    return inspect.isclass(child) and any(base.__name__ == name for base in inspect.getmro(child))


def _maker(key: str, given_settings: Any) -> Callable[..., Any]:
    """Return what makes a handler: a class, or anything else that can be called."""
    if not isinstance(given_settings, Mapping):
        raise TypeError(f"handler {key!r}: expected a dict with a 'class', got {given_settings!r}")
    settings = cast("Mapping[str, Any]", given_settings)
    if "class" not in settings:
        raise KeyError(f"handler {key!r}: 'class' is missing, got keys {sorted(settings)}")
    given = settings["class"]
    try:
        maker: Any = import_external(given) if isinstance(given, str) else given
    except (ImportError, AttributeError) as error:
        text = f"handler {key!r}: cannot import class {given!r}: {error}{_full_name(given)}"
        error.args = (text,)
        if isinstance(error, ImportError):
            error.msg = text  # What `str()` of one gives.
        raise
    if not callable(maker):
        raise TypeError(
            f"handler {key!r}: expected as 'class' a handler class, or a callable that makes a "
            f"handler, got {given!r}"
        )
    return maker  # type: ignore[no-any-return]


def _full_name(given: str) -> str:
    """Return a hint at the dotted name of a handler of this package that `given` may mean."""
    name = given.rpartition(".")[2]
    if name in _handlers.__all__:
        return f"; did you mean 'phanos.handlers.{name}'?"
    return did_you_mean(name, _handlers.__all__).replace("mean '", "mean 'phanos.handlers.")


def _checked(key: str, settings: Mapping[str, Any], handler: Any) -> Any:
    if inspect.iscoroutine(handler):
        handler.close()
        raise TypeError(
            f"handler {key!r}: {settings['class']!r} makes a coroutine, which nobody awaits; name "
            "the class, and use async_dict_config"
        )
    if inspect.isclass(handler) or not callable(getattr(handler, "handle", None)):
        raise TypeError(
            f"handler {key!r}: {settings['class']!r} makes {handler!r}, which has no method handle"
        )
    return handler


def _arguments(
    key: str, settings: Mapping[str, Any], constructor: Callable[..., Any]
) -> dict[str, Any]:
    arguments = parse_arguments(
        {name: value for name, value in settings.items() if name != "class"}
    )
    try:
        signature = inspect.signature(constructor)
    except (TypeError, ValueError):  # Builtins and the like have none.
        return arguments
    try:
        signature.bind(**arguments)
    except TypeError as error:
        unknown = [name for name in arguments if name not in signature.parameters]
        hint = "".join(did_you_mean(name, signature.parameters) for name in unknown)
        raise TypeError(
            f"handler {key!r}: wrong arguments {sorted(arguments)}: {error}{hint}"
        ) from None
    return arguments


def create_handlers(configs: Mapping[str, Any]) -> dict[str, SyncBaseHandler]:
    """
    Make the handlers of a configuration dict: `{key: {"class": ..., **arguments}}`.

    `class` is a class or its dotted name, or anything else that is called with the arguments and
    returns a handler: something with `handler_name` and `handle`.

    Raises:
        ValueError: one of them is asynchronous.
        KeyError: `class` is missing.
        ImportError, AttributeError: a class or an `ext://` value cannot be imported.
        TypeError: nothing that makes a handler, or wrong arguments for it.
    """
    handlers: dict[str, SyncBaseHandler] = {}
    for key, settings in configs.items():
        make = _maker(key, settings)
        if inherits_from(make, AsyncBaseHandler):
            raise ValueError(
                f"handler {key!r}: {make.__name__} is asynchronous, the profiler is synchronous; "
                "use async_dict_config"
            )
        handlers[key] = _checked(key, settings, make(**_arguments(key, settings, make)))
    return handlers


async def create_async_handlers(configs: Mapping[str, Any]) -> dict[str, BaseHandler]:
    """Make the handlers of a configuration dict, asynchronous ones by awaiting `create`."""
    handlers: dict[str, BaseHandler] = {}
    for key, settings in configs.items():
        make: Any = _maker(key, settings)
        if inherits_from(make, AsyncBaseHandler):
            handler = await make.create(**_arguments(key, settings, make.create))
        else:
            handler = make(**_arguments(key, settings, make))
        handlers[key] = _checked(key, settings, handler)
    return handlers
