"""Flask-RESTX, served for real, with its own decorators above the profiling one."""

import json

import pytest

from demo.serving import request, serve_wsgi

SERVICE = "restx_service"

REQUESTS = [
    ("GET", "/stalls/3", None),
    ("GET", "/stalls/3/fruit", None),
    ("GET", "/stalls/13", None),
    ("GET", "/stalls/404", None),
    ("POST", "/stalls/5", '{"name": "plum", "price": 2}'),
    ("POST", "/stalls/5", '{"name": "kö"}'),
    ("POST", "/stalls/5", '{"price": 2}'),
    ("DELETE", "/stalls/5", None),
    ("PATCH", "/stalls/5", None),
    ("GET", "/stalls/", None),
    ("GET", "/stalls/?limit=3", None),
    ("GET", "/stalls/?limit=-1", None),
    ("PUT", "/stalls/", None),
]


def test_profiled_service_answers_as_a_plain_one(load, load_plain, recorded):
    answers = []
    for service in (load_plain(SERVICE), load(SERVICE)):
        with serve_wsgi(service.app) as address:
            answers.append(
                {
                    (method, path, body): request(address + path, method, body)
                    for method, path, body in REQUESTS
                }
            )
    assert answers[0] == answers[1]


def test_swagger_description_is_that_of_plain_methods(load, load_plain):
    descriptions = []
    for service in (load_plain(SERVICE), load(SERVICE)):
        with serve_wsgi(service.app) as address:
            descriptions.append(json.loads(request(f"{address}/swagger.json").text))
    assert descriptions[0]["paths"]["/stalls/{number}"]["get"]["summary"] == "Show a fruit"
    assert descriptions[0] == descriptions[1]


CALLS = {
    ("GET", "/stalls/3", None): {"Fruit:get.fetch": 1, "Fruit:get": 1},
    ("POST", "/stalls/5", '{"name": "plum"}'): {"Fruit:post": 1},
    ("DELETE", "/stalls/5", None): {"Fruit:delete.fetch": 1, "Fruit:delete": 1},
    ("GET", "/stalls/?limit=3", None): {"Fruits:get.fetch": 3, "Fruits:get": 1},
    ("PUT", "/stalls/", None): {"Fruits:put": 1},
}


@pytest.mark.parametrize(("exchange", "counts"), CALLS.items())
def test_each_call_of_a_request_is_recorded_once(load, recorded, exchange, counts):
    method, path, body = exchange
    with serve_wsgi(load(SERVICE).app) as address:
        assert request(address + path, method, body).status < 300
        recorded.wait_for_records(sum(counts.values()))
    assert recorded.counts() == counts
    assert {record["labels"]["error_raised"] for record in recorded.records} == {False}


def test_request_that_validation_refuses_never_reaches_the_method(load, recorded):
    with serve_wsgi(load(SERVICE).app) as address:
        assert request(f"{address}/stalls/5", "POST", "{}").status == 400
    assert recorded.records == []


FAILURES = {
    ("/stalls/13", 503): {
        "Fruit:get.fetch": True,
        "Fruit:get": True,
        "restx_service:closed": False,
    },
    ("/stalls/404", 404): {"Fruit:get": True},
}


@pytest.mark.parametrize(("exchange", "expected"), FAILURES.items())
def test_exception_reaches_restx_and_the_record(load, recorded, failed, exchange, expected):
    path, status = exchange
    with serve_wsgi(load(SERVICE).app) as address:
        assert request(address + path).status == status
        recorded.wait_for_records(len(expected))
    assert failed(recorded) == expected


def test_fifty_requests_at_once_keep_their_paths(load, recorded, crowd):
    service = load(SERVICE)
    with serve_wsgi(service.app) as address:
        answers = crowd([f"{address}/stalls/meet/{guest}" for guest in range(service.CROWD)])
        recorded.wait_for_records(2 * service.CROWD)
    assert [json.loads(answer.text)["name"] for answer in answers] == [
        f"fruit {guest + 100}" for guest in range(service.CROWD)
    ]
    assert recorded.counts() == {
        "Meeting:get.fetch": service.CROWD,
        "Meeting:get": service.CROWD,
    }
