"""What outlives a route or lies around it: streamed bodies, background tasks, middleware."""

import gc
import http.client

import pytest
from support import wait_until

from demo.serving import DEADLINE_S, request, serve_asgi

SERVICE = "fastapi_layers"

CALLS = {
    "/flow/2": [
        "fastapi_layers:stream_flow",
        "fastapi_layers:flow.step",
        "fastapi_layers:flow.step",
        "fastapi_layers:flow",
    ],
    "/drip/2": [
        "fastapi_layers:stream_drip",
        "fastapi_layers:drip.step",
        "fastapi_layers:drip.step",
        "fastapi_layers:drip",
    ],
    "/letters/1": [
        "fastapi_layers:write_letter",
        "fastapi_layers:send_letter.step",
        "fastapi_layers:send_letter",
        "fastapi_layers:count_letter.step",
        "fastapi_layers:count_letter",
    ],
    "/gated/passed/1": [
        "Gate:__call__.step",
        "Gate:__call__.passed.step",
        "Gate:__call__.passed",
        "Gate:__call__",
    ],
    "/watched/passed/1": [
        "fastapi_layers:watch.step",
        "fastapi_layers:watch.passed.step",
        "fastapi_layers:watch.passed",
        "fastapi_layers:watch",
    ],
}


@pytest.mark.parametrize(("path", "paths"), CALLS.items())
def test_calls_are_recorded_in_the_order_in_which_they_end(load, load_plain, recorded, path, paths):
    answers = []
    for service in (load_plain(SERVICE), load(SERVICE)):
        with serve_asgi(service.app) as address:
            answers.append(request(address + path))
    recorded.wait_for_records(len(paths))
    assert answers[0] == answers[1]
    assert answers[0].status == 200
    assert recorded.methods() == paths
    assert {record["labels"]["error_raised"] for record in recorded.records} == {False}


def test_what_outlives_the_middleware_keeps_its_place_below_it(load, recorded):
    """Below middleware the body and the background tasks belong to a task of the middleware."""
    with serve_asgi(load(SERVICE).app) as address:
        assert request(f"{address}/watched/flow/2").text == "0\n1\n"
        assert request(f"{address}/watched/letters/1").text == "1"
        recorded.wait_for_records(13)
    assert recorded.counts() == {
        "fastapi_layers:watch.step": 2,
        "fastapi_layers:watch": 2,
        "fastapi_layers:watch.stream_flow": 1,
        "fastapi_layers:watch.flow.step": 2,
        "fastapi_layers:watch.flow": 1,
        "fastapi_layers:watch.write_letter": 1,
        "fastapi_layers:watch.send_letter.step": 1,
        "fastapi_layers:watch.send_letter": 1,
        "fastapi_layers:watch.count_letter.step": 1,
        "fastapi_layers:watch.count_letter": 1,
    }


FAILURES = {
    "/watched/passed/-1": {
        "fastapi_layers:watch.step": False,
        "fastapi_layers:watch.passed": True,
        "fastapi_layers:watch": True,
    },
    "/gated/passed/-1": {
        "Gate:__call__.step": False,
        "Gate:__call__.passed": True,
        "Gate:__call__": True,
    },
}


@pytest.mark.parametrize(("path", "expected"), FAILURES.items())
def test_exception_passes_through_middleware(load, recorded, failed, path, expected):
    with serve_asgi(load(SERVICE).app) as address:
        assert request(address + path).status == 500
        recorded.wait_for_records(len(expected))
    assert failed(recorded) == expected


def test_failing_background_task_is_recorded_as_failed(load, recorded, failed):
    with serve_asgi(load(SERVICE).app) as address:
        assert request(f"{address}/letters/1?lose=1").status == 200
        recorded.wait_for_records(6)
    assert failed(recorded) == {
        "fastapi_layers:write_letter": False,
        "fastapi_layers:send_letter.step": False,
        "fastapi_layers:send_letter": False,
        "fastapi_layers:count_letter.step": False,
        "fastapi_layers:count_letter": False,
        "fastapi_layers:lose_letter": True,
    }


def test_stream_that_breaks_is_recorded_as_failed(load, recorded, failed):
    with serve_asgi(load(SERVICE).app) as address:
        with pytest.raises(http.client.IncompleteRead):
            request(f"{address}/breaking/1")
        recorded.wait_for_records(3)
    assert failed(recorded) == {
        "fastapi_layers:stream_breaking": False,
        "fastapi_layers:breaking.step": False,
        "fastapi_layers:breaking": True,
    }


def test_stream_that_the_client_leaves_is_recorded_once(load, recorded):
    with serve_asgi(load(SERVICE).app) as address:
        connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=DEADLINE_S)
        connection.request("GET", "/overflow")
        answer = connection.getresponse()
        assert answer.read(2) == b"1\n"
        answer.close()
        connection.close()

        def closed() -> bool:
            # An abandoned generator ends when the last frame that held it is collected.
            gc.collect()
            return "fastapi_layers:overflow" in recorded.methods()

        wait_until(closed, "the generator closed")
    counts = recorded.counts()
    assert counts["fastapi_layers:overflow"] == 1
    assert counts["fastapi_layers:stream_overflow"] == 1
    assert set(counts) == {
        "fastapi_layers:stream_overflow",
        "fastapi_layers:overflow",
        "fastapi_layers:overflow.step",
    }
