"""The table of settings in the pages is what the code says."""

from __future__ import annotations

import inspect
import re

import phanos
import pytest
from pages import text_of
from phanos import handlers

from tools import settings_table

PAGE = text_of("docs/settings.md")
WRITTEN = "make settings writes docs/settings.md anew"


def names_in(page: str) -> set[str]:
    return set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))


def test_the_page_has_the_table_that_the_code_makes() -> None:
    assert settings_table.with_table(PAGE) == PAGE, WRITTEN


def test_a_table_of_other_times_is_noticed() -> None:
    other = PAGE.replace("| `PHANOS_JOB` |", "| |")
    assert other != PAGE
    assert settings_table.with_table(other) == PAGE


@pytest.mark.parametrize(
    "function",
    [
        phanos.profiler.config,
        handlers.StreamHandler,
        handlers.TreeHandler,
        handlers.LoggerHandler,
        handlers.NamedLoggerHandler,
        handlers.PrometheusHandler,
        handlers.ImpProfHandler,
        handlers.AsyncImpProfHandler,
    ],
)
def test_every_argument_is_in_it(function: object) -> None:
    assert callable(function)
    parameters = inspect.signature(function).parameters.values()
    named = {one.name for one in parameters if one.kind is not one.VAR_KEYWORD}
    assert named - settings_table.OLD <= names_in(PAGE)


def test_every_handler_is_in_it() -> None:
    abstract = {"AsyncBaseHandler", "BaseHandler", "SyncBaseHandler"}
    kinds = {name for name in handlers.__all__ if name.endswith("Handler")} - abstract
    assert {name for name in kinds if f"`{name}`" not in settings_table.table()} == set()


def test_an_argument_without_words_is_an_error() -> None:
    def function(known: int, unknown: str = "") -> None:
        """
        Do something.

        Args:
            known: what it is
                said in two lines.

        Returns nothing.
        """

    with pytest.raises(ValueError, match="no docstring says what unknown"):
        list(settings_table.settings(function, function))
    assert settings_table.meanings(function) == {"known": "what it is said in two lines"}


def test_a_type_without_words_is_an_error() -> None:
    with pytest.raises(ValueError, match="add them to TYPES"):
        settings_table.type_in_words("Callable[[int], str]")


@pytest.mark.parametrize(
    ("name", "default", "words"),
    [
        ("handler_name", inspect.Parameter.empty, "required"),
        ("spool_bytes", 1024 * 1024 * 1024, "1 GiB"),
        ("user", None, "none"),
        ("time_to_live_s", 86400.0, "`86400`"),
        ("sample_rate", 1.0, "`1.0`"),
        ("connect", "eager", '`"eager"`'),
    ],
)
def test_defaults_in_words(name: str, default: object, words: str) -> None:
    assert settings_table.default_in_words(name, default) == words
