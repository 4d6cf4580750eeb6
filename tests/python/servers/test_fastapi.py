"""FastAPI routes and dependencies, served for real: answers, descriptions and records."""

import json

import pytest

from demo.serving import request, serve_asgi

SERVICE = "fastapi_service"

REQUESTS = [
    ("GET", "/chop/3?note=thin", None),
    ("GET", "/chop/three", None),
    ("GET", "/chop/-1", None),
    ("GET", "/simmer/2?times=1&times=3&heat=high", None),
    ("GET", "/simmer/2?times=1&times=2&times=3&times=4", None),
    ("GET", "/simmer/2?heat=medium", None),
    ("GET", "/both/2", None),
    ("POST", "/shelf/4", '{"name": "soup", "salt": 1}'),
    ("POST", "/shelf/4", '{"name": "s"}'),
    ("POST", "/chop/3", None),
    ("GET", "/fire/1", None),
    ("GET", "/fire/2", None),
    ("GET", "/fire/3", None),
    ("GET", "/served?shift=2&course=3", None),
    ("GET", "/opened/2?place=7", None),
    ("GET", "/opened/-2", None),
]


def test_profiled_service_answers_as_a_plain_one(load, load_plain, recorded):
    answers = []
    for service in (load_plain(SERVICE), load(SERVICE)):
        with serve_asgi(service.app) as address:
            answers.append(
                {
                    (method, path, body): request(address + path, method, body)
                    for method, path, body in REQUESTS
                }
            )
    assert answers[0] == answers[1]


def test_openapi_description_is_that_of_plain_functions(load, load_plain):
    descriptions = []
    for service in (load_plain(SERVICE), load(SERVICE)):
        with serve_asgi(service.app) as address:
            descriptions.append(json.loads(request(f"{address}/openapi.json").text))
    names = [entry["name"] for entry in descriptions[0]["paths"]["/served"]["get"]["parameters"]]
    assert sorted(names) == ["course", "shift", "x-cook"]
    assert descriptions[0] == descriptions[1]


# A route's dependencies end after it, and the service's lifespan when the server stops.
CALLS = {
    "/chop/3": {"fastapi_service:chop_some.chop": 1, "fastapi_service:chop_some": 1},
    "/simmer/2?times=1&times=3": {
        "fastapi_service:simmer_some.simmer.chop": 2,
        "fastapi_service:simmer_some.simmer": 2,
        "fastapi_service:simmer_some": 1,
    },
    "/both/2": {
        "fastapi_service:simmer_both.simmer.chop": 2,
        "fastapi_service:simmer_both.simmer": 2,
        "fastapi_service:simmer_both": 1,
    },
    "/served": {
        "fastapi_service:cook": 1,
        "fastapi_service:helper": 1,
        "Menu:__call__": 1,
        "fastapi_service:serve_dish": 1,
    },
    "/opened/2": {
        "fastapi_service:stove.chop": 2,
        "fastapi_service:stove": 1,
        "fastapi_service:pantry.simmer.chop": 2,
        "fastapi_service:pantry.simmer": 2,
        "fastapi_service:pantry": 1,
        "fastapi_service:open_kitchen.chop": 1,
        "fastapi_service:open_kitchen": 1,
    },
}


@pytest.mark.parametrize(("path", "counts"), CALLS.items())
def test_each_call_of_a_request_is_recorded_once(load, recorded, path, counts):
    with serve_asgi(load(SERVICE).app) as address:
        assert request(address + path).status == 200
        recorded.wait_for_records(sum(counts.values()))
        assert recorded.counts() == counts
        assert {record["labels"]["error_raised"] for record in recorded.records} == {False}
    assert recorded.methods()[-1] == "fastapi_service:lifespan"
    assert len(recorded.records) == sum(counts.values()) + 1


def test_asynchronous_handler_gets_the_same_records(load, recorded_async):
    counts = CALLS["/both/2"]
    with serve_asgi(load(SERVICE).app) as address:
        assert request(f"{address}/both/2").status == 200
        recorded_async.wait_for_records(sum(counts.values()))
        assert recorded_async.counts() == counts


def test_asynchronous_handler_gets_what_ran_in_a_thread(load, recorded_async):
    """No loop runs in that thread, so the batch goes along with the next coroutine's."""
    counts = CALLS["/chop/3"] | CALLS["/both/2"]
    with serve_asgi(load(SERVICE).app) as address:
        assert request(f"{address}/chop/3").status == 200
        assert request(f"{address}/both/2").status == 200
        recorded_async.wait_for_records(sum(counts.values()))
        assert recorded_async.counts() == counts


FAILURES = {
    ("/fire/1", 409): {"fastapi_service:fire": True},
    ("/fire/2", 418): {"fastapi_service:fire": True, "fastapi_service:apologise": False},
    ("/fire/3", 500): {
        "fastapi_service:fire.simmer.chop": True,
        "fastapi_service:fire.simmer": True,
        "fastapi_service:fire": True,
    },
    ("/chop/-1", 500): {
        "fastapi_service:chop_some.chop": True,
        "fastapi_service:chop_some": True,
    },
}


@pytest.mark.parametrize(("exchange", "expected"), FAILURES.items())
def test_exception_reaches_fastapi_and_the_record(load, recorded, failed, exchange, expected):
    path, status = exchange
    with serve_asgi(load(SERVICE).app) as address:
        assert request(address + path).status == status
        recorded.wait_for_records(len(expected))
        assert failed(recorded) == expected


def test_exception_of_a_route_passes_through_its_generator_dependencies(load, recorded):
    with serve_asgi(load(SERVICE).app) as address:
        assert request(f"{address}/opened/-1").status == 500
        recorded.wait_for_records(10)
    outcome = {record["method"]: record["labels"]["error_raised"] for record in recorded.records}
    assert outcome == {
        "fastapi_service:open_kitchen.chop": True,
        "fastapi_service:open_kitchen": True,
        "fastapi_service:stove.chop": False,
        "fastapi_service:stove": True,
        "fastapi_service:pantry.simmer.chop": False,
        "fastapi_service:pantry.simmer": False,
        "fastapi_service:pantry": True,
        "fastapi_service:lifespan": False,
    }


def test_request_that_validation_refuses_never_reaches_the_route(load, recorded):
    with serve_asgi(load(SERVICE).app) as address:
        assert request(f"{address}/shelf/4", "POST", '{"name": "s"}').status == 422
    assert recorded.methods() == ["fastapi_service:lifespan"]


def test_fifty_coroutines_at_once_keep_their_paths(load, recorded, crowd):
    service = load(SERVICE)
    half = service.CROWD // 2
    with serve_asgi(service.app) as address:
        urls = [f"{address}/{name}/{guest}" for guest in range(half) for name in ("meet", "gather")]
        answers = crowd(urls)
        recorded.wait_for_records(5 * half)
        assert [answer.text for answer in answers] == [
            str(guest * 2) for guest in range(half) for _ in ("meet", "gather")
        ]
        assert recorded.counts() == {
            "fastapi_service:meet.simmer.chop": half,
            "fastapi_service:meet.simmer": half,
            "fastapi_service:meet": half,
            "fastapi_service:gather.chop": half,
            "fastapi_service:gather": half,
        }


def test_fifty_functions_in_threads_keep_their_paths(load, recorded, crowd):
    service = load(SERVICE)
    with serve_asgi(service.app) as address:
        answers = crowd([f"{address}/sit/{guest}" for guest in range(service.CROWD)])
        recorded.wait_for_records(2 * service.CROWD)
        assert [answer.text for answer in answers] == [
            str(guest * 2) for guest in range(service.CROWD)
        ]
        assert recorded.counts() == {
            "fastapi_service:sit.chop": service.CROWD,
            "fastapi_service:sit": service.CROWD,
        }
