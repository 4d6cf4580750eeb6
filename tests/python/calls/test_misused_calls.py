"""Turning points of a call, called by users who found them in the frame of a coroutine."""

from __future__ import annotations

from typing import Any

import pytest
from phanos.tree import MethodTreeNode
from support import CollectingHandler, assert_tree_at_rest, make_profiler


def begun() -> tuple[Any, Any, CollectingHandler]:
    """A profiler, a coroutine of it that waits, and what gets its record."""
    handler = CollectingHandler("collecting")
    profiler = make_profiler(handler)

    class Once:
        def __await__(self) -> Any:
            return (yield)

    @profiler.profile
    async def wait() -> None:
        await Once()

    coroutine = wait()
    coroutine.send(None)
    return profiler, coroutine, handler


def finish(coroutine: Any) -> None:
    with pytest.raises(StopIteration):
        coroutine.send(None)


@pytest.mark.parametrize("turning_point", ["begin_coroutine", "begin"])
def test_a_call_begins_once(turning_point: str) -> None:
    profiler, coroutine, handler = begun()
    found = coroutine.cr_frame.f_locals["call"]
    begin = getattr(found, turning_point)
    with pytest.raises(TypeError):
        begin()
    finish(coroutine)
    # It has ended, and so has what it found.
    with pytest.raises(TypeError):
        begin()
    assert len(handler.records) == 1
    assert_tree_at_rest(profiler)


def test_wrong_arguments_are_refused() -> None:
    profiler, coroutine, handler = begun()
    found = coroutine.cr_frame.f_locals["call"]
    start, end = type(found).begin_coroutine, type(found).end
    for call, arguments in [
        (start, ()),
        (start, (None,)),
        (start, (MethodTreeNode(),)),
        (start, (found, 1)),
        (end, ()),
        (end, (found,)),
        (end, (None, None)),
        (end, (found, 1, 2)),
    ]:
        with pytest.raises(TypeError):
            call(*arguments)
    with pytest.raises(TypeError):
        type(found)()
    finish(coroutine)
    assert len(handler.records) == 1
    assert_tree_at_rest(profiler)


def test_a_call_ends_once() -> None:
    profiler, coroutine, handler = begun()
    found = coroutine.cr_frame.f_locals["call"]
    assert found.end(1) is False
    finish(coroutine)
    assert found.end(1) is False
    assert len(handler.records) == 1
    assert_tree_at_rest(profiler)
