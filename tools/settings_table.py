"""
The table of all settings, made from the code: `python -m tools.settings_table` writes it.

It goes into docs/settings.md, between two comments. Names, types and defaults are those of
signatures, what they mean stands in the docstrings, and variables of the environment are those that
the modules name which read them.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from phanos import handlers, messaging
from phanos._arguments import broker_url
from phanos._arguments.connection import (
    ConnectionOptions,
    connection_settings,
    publisher_arguments,
)
from phanos._profiler import environment
from phanos.publisher import Profiler

PAGE = Path(__file__).resolve().parents[1] / "docs" / "settings.md"
BEGIN, END = "<!-- settings -->", "<!-- /settings -->"
HEAD = "| name | type | default | environment | meaning |\n| --- | --- | --- | --- | --- |"

TYPES = {
    "Any": "`str`",
    "IgnoredErrors": "exception class, tuple of classes, or function",
    "LoggerLike | str": "logger, or its name",
    "LoggerLike": "logger",
    "Mapping[str, MetricOptions]": "`dict`",
    "Mapping[str, int]": "`dict`",
    "Mapping[str, str]": "`dict`",
    "Path": "path",
    "TextIO": "text stream",
    "bool | Mapping[str, str | os.PathLike[str]]": "`bool`, or `dict`",
    "str | Sequence[str]": "`str`, or a list of them",
    "str | bool": "`str`",
}
"""Annotations, without None, in words; others are names of plain types."""

VARIABLES = {
    "handle_records": environment.ENABLED,
    "job": environment.JOB,
    "sample_rate": environment.SAMPLE_RATE,
    "url": broker_url.ENVIRONMENT,
}
"""Settings that a variable of the environment can give."""

OLD = frozenset({"request_size_profile"})
"""Names of former times, which new programs do not need."""

_NO_DEFAULT = inspect.Parameter.empty


class Setting(NamedTuple):
    """A row of the table."""

    name: str
    annotation: str
    default: Any
    meaning: str

    def row(self) -> str:
        """Return it as Markdown."""
        variable = VARIABLES.get(self.name)
        cells = (
            f"`{self.name}`",
            type_in_words(self.annotation),
            default_in_words(self.name, self.default),
            "" if variable is None else f"`{variable}`",
            self.meaning,
        )
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def type_in_words(annotation: str) -> str:
    """
    Return what the annotation of an argument says, without None.

    Raises:
        ValueError: `TYPES` has no words for it.
    """
    shown = annotation.replace(" | None", "")
    if shown in TYPES:
        return TYPES[shown]
    if choice := re.fullmatch(r"Literal\[(.+)\]", shown):
        return " or ".join(f"`{value}`" for value in choice[1].replace("'", '"').split(", "))
    if not re.fullmatch(r"str|int|float|bool", shown):
        raise ValueError(f"no words for the type {annotation!r}: add them to TYPES")
    return f"`{shown}`"


def default_in_words(name: str, default: Any) -> str:
    """Return a default as a reader takes it in: large numbers of bytes and seconds in words."""
    if default is _NO_DEFAULT:
        return "required"
    if name.endswith("_bytes"):
        return f"{default // 2**20} MiB" if default < 2**30 else f"{default // 2**30} GiB"
    if name == "level":
        return {10: "`logging.DEBUG`", 20: "`logging.INFO`"}[default]
    if default is None or default == {}:
        return "none"
    if isinstance(default, float) and default == int(default) and name.endswith(("_s", "timeout")):
        default = int(default)
    return f"`{default!r}`".replace("'", '"')


def meanings(documented: Any) -> dict[str, str]:
    """Return what the section `Args` of a docstring says of each argument."""
    text = inspect.cleandoc(documented.__doc__ or "").partition("Args:\n")[2]
    text = re.split(r"\n(?=\S)", text)[0]
    found = re.findall(r"^    (\w+): ((?:.|\n(?!    \S)(?!\n))+)", text, re.MULTILINE)
    return {name: as_cell(said) for name, said in found}


def as_cell(said: str) -> str:
    """Return a sentence of a docstring as the text of a cell."""
    return re.sub(r"\s+", " ", said).strip().rstrip(".").replace("->", "to")


def settings(
    function: Callable[..., Any], *documented: Any, extra: Mapping[str, Setting] | None = None
) -> Iterator[Setting]:
    """
    Yield the arguments of `function`.

    Args:
        function: has the names, types and defaults.
        documented: what has the docstrings; the first that says something of an argument counts.
        extra: arguments that are not in the signature.

    Raises:
        ValueError: no docstring says anything of an argument.
    """
    said: dict[str, str] = {}
    for one in documented:
        said = {**meanings(one), **said}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            yield from (extra or {}).values()
        elif parameter.name not in OLD | {"self"}:
            if parameter.name not in said:
                raise ValueError(f"no docstring says what {parameter.name} of {function} is")
            yield Setting(
                parameter.name,
                str(parameter.annotation),
                parameter.default,
                said[parameter.name],
            )


def connection_options() -> dict[str, Setting]:
    """Return pika's connection parameters, which are taken by keyword."""
    said = meanings(messaging.BasePublisher)
    defaults = connection_settings(publisher_arguments())._asdict()
    return {
        name: Setting(
            name,
            str(getattr(annotation, "__forward_arg__", annotation)),
            defaults[name],
            said[name],
        )
        for name, annotation in ConnectionOptions.__annotations__.items()
    }


def sections() -> Iterator[tuple[str, Iterator[Setting]]]:
    """Yield what has settings, and these."""
    profiler = settings(Profiler().config, Profiler.config)
    yield "`config`, `async_config`, and keys of `dict_config`, `async_dict_config`", profiler
    for kind in (
        handlers.StreamHandler,
        handlers.TreeHandler,
        handlers.LoggerHandler,
        handlers.NamedLoggerHandler,
        handlers.PrometheusHandler,
    ):
        yield f"`{kind.__name__}`", settings(kind, kind)
    yield (
        "`ImpProfHandler`, `AsyncImpProfHandler`",
        settings(
            handlers.ImpProfHandler,
            handlers.ImpProfHandler,
            messaging.BasePublisher,
            extra=connection_options(),
        ),
    )


def table() -> str:
    """Return the table as Markdown."""
    lines = [HEAD]
    for title, rows in sections():
        lines.append(f"| **{title}** | | | | |")
        lines += [setting.row() for setting in rows]
    return "\n".join(lines)


def with_table(page: str) -> str:
    """Return a page with the table of now between the two comments."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the page lacks {BEGIN} or {END}")
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def main() -> int:
    """Write the table into the page; return the exit code."""
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
