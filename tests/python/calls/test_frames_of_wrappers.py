"""Warnings, log lines, tracebacks and tasks name the user's program, not the wrappers."""

from __future__ import annotations

import asyncio
import cProfile
import logging
import pstats
import sys
import traceback
import types
import warnings
from typing import Any

import pytest
from phanos._calls import wrappers as _wrappers
from support import AsyncCollectingHandler, CollectingHandler, make_profiler

PROFILER = make_profiler(CollectingHandler())


def line_of(function: Any) -> int:
    """The first line of the function's statement, decorators included."""
    code: types.CodeType = function.__code__
    return code.co_firstlineno


def warned(iterate: Any) -> warnings.WarningMessage:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        iterate()
    (warning,) = caught
    return warning


def decorators() -> list[Any]:
    return [lambda function: function, PROFILER.profile]


@pytest.mark.parametrize("decorate", decorators(), ids=["plain", "profiled"])
def test_a_generator_warns_of_the_line_that_iterates(decorate: Any) -> None:
    @decorate
    def deprecated() -> Any:
        warnings.warn("deprecated", DeprecationWarning, stacklevel=2)
        yield 1

    def caller() -> None:
        next(deprecated())

    warning = warned(caller)
    assert (warning.filename, warning.lineno) == (__file__, line_of(caller) + 1)


@pytest.mark.parametrize("decorate", decorators(), ids=["plain", "profiled"])
def test_a_generator_that_is_abandoned_warns_of_the_line_that_leaves_it(decorate: Any) -> None:
    @decorate
    def resource() -> Any:
        try:
            yield 1
        finally:
            warnings.warn("left open", ResourceWarning, stacklevel=2)

    def caller() -> None:
        generator = resource()
        next(generator)
        del generator

    warning = warned(caller)
    assert (warning.filename, warning.lineno) == (__file__, line_of(caller) + 3)


@pytest.mark.parametrize("decorate", decorators(), ids=["plain", "profiled"])
def test_an_async_generator_warns_of_the_line_that_iterates(decorate: Any) -> None:
    @decorate
    async def deprecated() -> Any:
        warnings.warn("deprecated", DeprecationWarning, stacklevel=2)
        yield 1

    async def caller() -> None:
        async for _ in deprecated():
            pass

    warning = warned(lambda: asyncio.run(caller()))
    assert (warning.filename, warning.lineno) == (__file__, line_of(caller) + 1)


def test_a_filter_by_module_meets_the_caller_of_a_generator() -> None:
    @PROFILER.profile
    def deprecated() -> Any:
        warnings.warn("deprecated", DeprecationWarning, stacklevel=2)
        yield 1

    with warnings.catch_warnings():
        warnings.filterwarnings("error", category=DeprecationWarning, module=__name__)
        with pytest.raises(DeprecationWarning):
            next(deprecated())


@pytest.mark.skipif(sys.version_info < (3, 11), reason="logging passes over no frames")
def test_a_log_line_of_a_generator_names_the_caller(caplog: pytest.LogCaptureFixture) -> None:
    @PROFILER.profile
    def logs() -> Any:
        logging.getLogger("test").warning("text", stacklevel=2)
        yield 1

    def caller() -> None:
        next(logs())

    caller()
    assert [(record.filename, record.lineno) for record in caplog.records] == [
        (__file__.rpartition("/")[2], line_of(caller) + 1)
    ]


def test_a_task_names_the_function_and_its_file() -> None:
    @PROFILER.profile
    async def body() -> None:
        await asyncio.sleep(0)

    async def main() -> tuple[str, list[Any], str]:
        task = asyncio.create_task(body())
        await asyncio.sleep(0)
        running, stack = repr(task), task.get_stack()
        await task
        return running, stack, repr(task)

    running, (frame,), done = asyncio.run(main())
    where = f"{__file__}:{line_of(body)}"
    assert f"body() running at {where}>" in running
    assert f"body() done, defined at {where}>" in done
    assert (frame.f_code.co_filename, frame.f_lineno) == (__file__, line_of(body))
    assert frame.f_globals is globals()


def test_a_traceback_names_the_decorated_function() -> None:
    @PROFILER.profile
    async def fails() -> None:
        raise ValueError

    with pytest.raises(ValueError) as raised:  # noqa: PT011
        asyncio.run(fails())
    inside = [
        (entry.filename, entry.lineno, entry.name)
        for entry in traceback.extract_tb(raised.tb)
        if entry.name.startswith("fails")
    ]
    first = line_of(fails)
    assert inside == [
        (__file__, first, "fails (profiled)"),
        (__file__, first + 2, "fails"),
    ]
    assert not any(
        entry.filename == _wrappers.__file__ for entry in traceback.extract_tb(raised.tb)
    )


def test_all_code_of_the_wrapper_is_on_one_line() -> None:
    handler = AsyncCollectingHandler()
    profiler = make_profiler(handler)

    @profiler.profile
    async def body() -> None:
        return None

    coroutine = body()
    code: types.CodeType = coroutine.cr_code  # type: ignore[attr-defined]
    coroutine.close()
    assert {line for _, _, line in code.co_lines()} == {line_of(body)}
    covered = [end for _, end, _ in code.co_lines()]
    assert covered[-1] == len(code.co_code)


def test_c_profile_tells_body_and_wrapper_apart() -> None:
    @PROFILER.profile
    async def body() -> None:
        return None

    profile = cProfile.Profile()
    profile.enable()
    asyncio.run(body())
    profile.disable()
    stats: Any = pstats.Stats(profile)
    names = [name for file, _, name in stats.stats if file == __file__ and name.startswith("body")]
    assert sorted(names) == ["body", "body (profiled)"]


def test_a_module_that_redefines_builtins_is_safe() -> None:
    names = {"__name__": "odd", "__builtins__": {}, "profile": PROFILER.profile}
    source = "@profile\nasync def body(error):\n    raise error\n"
    exec(compile(source, "odd.py", "exec"), names)
    body: Any = names["body"]
    error = KeyError("passes")
    with pytest.raises(KeyError) as raised:
        body(error).send(None)
    assert raised.value is error


def test_coroutine_functions_without_code_work() -> None:
    from unittest import mock

    function = mock.AsyncMock(return_value=3)
    assert asyncio.run(PROFILER.profile(function)()) == 3
