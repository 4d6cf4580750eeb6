"""`response_size_of="body"`: the bytes of what roots return, where they are known."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest
from phanos import publisher
from phanos.metrics import ResponseSize
from support import CollectingHandler, make_profiler

BODY = "häßlich " * 1000
BYTES = BODY.encode()


class WithHeaders:
    """A stream with a declared length, as of Starlette's FileResponse."""

    headers = {"content-length": "12345"}  # noqa: RUF012


class WithContent:
    """A response of Django."""

    headers: dict[str, str] = {}  # noqa: RUF012
    content = BYTES


class Stream:
    """A response whose length nobody knows."""

    headers: dict[str, str] = {}  # noqa: RUF012

    @property
    def content(self) -> bytes:
        raise AttributeError("this is a stream")


def flask_response(**arguments: Any) -> Any:
    flask = pytest.importorskip("flask")
    return flask.Response(**arguments)


def starlette_response(kind: str, *arguments: Any) -> Any:
    responses = pytest.importorskip("starlette.responses")
    return getattr(responses, kind)(*arguments)


KNOWN = [
    (lambda: BYTES, len(BYTES)),
    (lambda: bytearray(BYTES), len(BYTES)),
    (lambda: memoryview(BYTES), len(BYTES)),
    (lambda: BODY, len(BYTES)),
    (lambda: "\udc80", 3),
    (lambda: "", 0),
    (lambda: (BODY, 201, {"X": "y"}), len(BYTES)),
    (WithHeaders, 12345),
    (WithContent, len(BYTES)),
    (lambda: flask_response(response=BODY), len(BYTES)),
    (lambda: (flask_response(response=[BYTES, BYTES]), 200), 2 * len(BYTES)),
    (lambda: starlette_response("PlainTextResponse", BODY), len(BYTES)),
    (lambda: starlette_response("JSONResponse", {"a": 1}), len(b'{"a":1}')),
]
UNKNOWN = [
    lambda: None,
    dict,
    lambda: ({"a": 1}, 200),
    Stream,
    lambda: 5,
    tuple,
    lambda: flask_response(response=(piece for piece in [BYTES])),
    lambda: starlette_response("StreamingResponse", iter([BYTES])),
]


def sizes(profiler: publisher.Profiler, handler: CollectingHandler, result: Any) -> list[float]:
    @profiler.profile
    def root() -> Any:
        return result

    assert root() is result
    return [record["value"][1] for record in handler.of_metric("response_size")]


@pytest.fixture
def of_body(handler: CollectingHandler) -> publisher.Profiler:
    return make_profiler(handler, response_size_profile=True, response_size_of="body")


@pytest.mark.parametrize(("make", "size"), KNOWN)
def test_known_sizes(
    make: Any, size: int, of_body: publisher.Profiler, handler: CollectingHandler
) -> None:
    assert sizes(of_body, handler, make()) == [float(size)]


@pytest.mark.parametrize("make", UNKNOWN)
def test_what_is_not_known_is_not_recorded(
    make: Any, of_body: publisher.Profiler, handler: CollectingHandler
) -> None:
    assert sizes(of_body, handler, make()) == []
    assert len(handler.of_metric("time_profiler")) == 1


def test_a_stream_is_not_read(of_body: publisher.Profiler, handler: CollectingHandler) -> None:
    response = flask_response(response=(piece for piece in [BYTES]))
    assert sizes(of_body, handler, response) == []
    assert not response.is_sequence
    assert b"".join(response.response) == BYTES


def test_coroutines_and_calls_that_fail(
    of_body: publisher.Profiler, handler: CollectingHandler
) -> None:
    @of_body.profile
    async def root(fails: bool) -> bytes:
        if fails:
            raise LookupError("own")
        return BYTES

    assert asyncio.run(root(False)) == BYTES
    with pytest.raises(LookupError, match="own"):
        asyncio.run(root(True))
    assert [one["value"][1] for one in handler.of_metric("response_size")] == [float(len(BYTES))]


def test_a_response_that_raises_is_logged(
    of_body: publisher.Profiler, handler: CollectingHandler, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        @property
        def headers(self) -> Any:
            raise RuntimeError("no headers")

    assert sizes(of_body, handler, Broken()) == []
    assert "response size raised RuntimeError" in caplog.text


def test_the_operation_and_overridden_steps_measure_alike(handler: CollectingHandler) -> None:
    profiler = make_profiler(handler, response_size_profile=True, response_size_of="body")
    profiler.after_func = None

    class Own(ResponseSize):
        def rec(self, value: Any, *args: Any, **kwargs: Any) -> None:
            super().rec(value, *args, **kwargs)

    own = Own("response_size", "JOB")
    own.size_of = "body"
    profiler.resp_size_profile = own
    profiler.add_metric(own)
    assert sizes(profiler, handler, BODY) == [float(len(BYTES))]


def test_the_object_is_measured_unless_asked_otherwise(handler: CollectingHandler) -> None:
    profiler = make_profiler(handler, response_size_profile=True)
    assert sizes(profiler, handler, BODY) == [float(sys.getsizeof(BODY))]
    with pytest.raises(ValueError, match=r"response_size_of must be 'object' or 'body', got 'all'"):
        profiler.config(response_size_of="all")  # type: ignore[arg-type]
