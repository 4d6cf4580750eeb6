"""Flask, served for real: profiled views answer as plain ones do, and every call is recorded."""

import http.client

import phanos
import pytest
from support import wait_until

from demo.serving import DEADLINE_S, request, serve_wsgi

SERVICE = "flask_service"

REQUESTS = [
    ("GET", "/apples/3"),
    ("GET", "/apples/0"),
    ("GET", "/apples/three"),
    ("GET", "/pears"),
    ("PUT", "/pears/brown"),
    ("POST", "/pears"),
    ("OPTIONS", "/pears"),
    ("GET", "/forbidden"),
    ("GET", "/lines/3"),
    ("GET", "/juices/plum"),
    ("GET", "/juices/spilt"),
    ("GET", "/basket/1"),
    ("DELETE", "/basket/1"),
    ("POST", "/basket/1"),
    ("POST", "/compost"),
]


def test_profiled_service_answers_as_a_plain_one(load, load_plain, recorded):
    answers = []
    for service in (load_plain(SERVICE), load(SERVICE)):
        with serve_wsgi(service.app) as address:
            answers.append(
                {(method, path): request(address + path, method) for method, path in REQUESTS}
            )
    assert answers[0] == answers[1]


def test_rules_and_endpoints_are_those_of_plain_views(load, load_plain):
    def rules(service):
        return [
            (rule.rule, rule.endpoint, sorted(rule.methods))
            for rule in service.app.url_map.iter_rules()
        ]

    assert rules(load(SERVICE)) == rules(load_plain(SERVICE))


CALLS = {
    ("GET", "/apples/3"): [
        "flask_service:apples.bite.peel",
        "flask_service:apples.bite",
        "flask_service:apples.peel",
        "flask_service:apples",
    ],
    ("PUT", "/pears/brown"): ["flask_service:pears"],
    ("GET", "/lines/2"): [
        "flask_service:lines",
        "flask_service:produce.peel",
        "flask_service:produce.peel",
        "flask_service:produce",
    ],
    ("GET", "/juices/plum"): [
        "flask_service:wash.peel",
        "flask_service:wash",
        "flask_service:press.peel",
        "flask_service:press",
    ],
    ("GET", "/basket/1"): ["Basket:get.count", "Basket:get.colour", "Basket:get"],
    ("POST", "/compost"): ["Compost:dispatch_request"],
}


@pytest.mark.parametrize(("exchange", "paths"), CALLS.items())
def test_each_call_of_a_request_is_recorded_once(load, recorded, exchange, paths):
    method, path = exchange
    with serve_wsgi(load(SERVICE).app) as address:
        assert request(address + path, method).status < 300
        recorded.wait_for_records(len(paths))
    assert recorded.methods() == paths
    assert {record["labels"]["error_raised"] for record in recorded.records} == {False}
    assert {record["item"] for record in recorded.records} == {paths[0].partition(":")[0]}


FAILURES = {
    ("GET", "/apples/0", 500): {
        "flask_service:apples.bite": True,
        "flask_service:apples": True,
    },
    ("GET", "/forbidden", 403): {"flask_service:forbidden": True},
    ("DELETE", "/basket/1", 500): {"Basket:delete": True},
    ("GET", "/juices/spilt", 500): {
        "flask_service:wash.peel": False,
        "flask_service:wash": False,
        "flask_service:spill": True,
        "flask_service:mop": False,
    },
}


@pytest.mark.parametrize(("exchange", "expected"), FAILURES.items())
def test_exception_reaches_flask_and_the_record(load, recorded, failed, exchange, expected):
    method, path, status = exchange
    with serve_wsgi(load(SERVICE).app) as address:
        assert request(address + path, method).status == status
        recorded.wait_for_records(len(expected))
    assert failed(recorded) == expected


def test_stream_that_the_client_leaves_is_recorded_once(load, recorded):
    with serve_wsgi(load(SERVICE).app) as address:
        connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=DEADLINE_S)
        connection.request("GET", "/endless")
        answer = connection.getresponse()
        assert answer.read(10) == bytes(10)
        answer.close()
        connection.close()
        wait_until(lambda: "flask_service:overflow" in recorded.methods(), "the generator closed")
    counts = recorded.counts()
    assert counts["flask_service:overflow"] == 1
    assert counts["flask_service:endless"] == 1
    assert set(counts) == {
        "flask_service:endless",
        "flask_service:overflow",
        "flask_service:overflow.peel",
    }


def test_fifty_requests_at_once_keep_their_paths(load, recorded, crowd):
    service = load(SERVICE)
    half = service.CROWD // 2
    with serve_wsgi(service.app) as address:
        urls = [f"{address}/{name}/{guest}" for guest in range(half) for name in ("meet", "gather")]
        answers = crowd(urls)
        recorded.wait_for_records(5 * half)
    expected = [(guest + 1) * 2 for guest in range(half) for _ in ("meet", "gather")]
    assert [answer.text for answer in answers] == [f'{{"guest":{n}}}\n' for n in expected]
    assert recorded.counts() == {
        "flask_service:meet.bite.peel": half,
        "flask_service:meet.bite": half,
        "flask_service:meet": half,
        "flask_service:gather.peel": half,
        "flask_service:gather": half,
    }


def test_test_client_sees_the_current_node(load, recorded):
    """Without a server in between the view runs in the caller's own thread and context."""
    service = load(SERVICE)
    seen = []

    def before(func, args, kwargs):
        seen.append((func.__name__, str(phanos.profiler.curr_node.get().ctx), kwargs))

    phanos.profiler.before_func = before
    with service.app.test_client() as client:
        assert client.get("/apples/1").json == {"eaten": 2, "peeled": 2}
    assert seen == [
        ("apples", "flask_service:apples", {"count": 1}),
        ("bite", "flask_service:apples.bite", {}),
        ("peel", "flask_service:apples.bite.peel", {}),
        ("peel", "flask_service:apples.peel", {}),
    ]
    assert str(phanos.profiler.curr_node.get().ctx) == ""
