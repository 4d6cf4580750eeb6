"""Labels and values that stand for something else later: recorded as they are at the call."""

from __future__ import annotations

import contextvars
import dataclasses
import datetime
import decimal
import enum
import logging
import uuid
import weakref
from typing import Any

import pytest
from phanos._phanos import waiting_to_json
from phanos.metrics import Counter, Enum, Gauge, Info
from support import JOB, CollectingHandler, make_profiler
from werkzeug.local import LocalProxy

CURRENT: contextvars.ContextVar[str] = contextvars.ContextVar("current")
PROXY: Any = LocalProxy(CURRENT)


class Lazy:
    """Resolved by `str()`, as the translations of Django are."""

    language = "en"

    def __str__(self) -> str:
        return f"text in {Lazy.language}"


def in_context_of(value: str, function: Any) -> Any:
    context = contextvars.copy_context()
    context.run(CURRENT.set, value)
    return context.run(function)


def test_a_proxy_as_label_is_resolved_at_the_call() -> None:
    profiler = make_profiler(handler := CollectingHandler(), time_profile=False)
    counter = Counter("counter", JOB, "u", labels=["user"])
    profiler.add_metric(counter)
    given = {"user": PROXY}
    in_context_of("alice", lambda: counter.inc(1, given))
    in_context_of("bob", lambda: counter.inc(1, given))
    assert given["user"] is PROXY
    profiler.flush()
    assert [record["labels"]["user"] for record in handler.records] == ["alice", "bob"]
    assert {type(record["labels"]["user"]) for record in handler.records} == {str}


def test_lazy_text_is_that_of_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    gauge = Gauge("gauge", JOB, "u", labels=["text"])
    gauge.set(1, {"text": Lazy()})
    monkeypatch.setattr(Lazy, "language", "de")
    assert gauge.label_values[0]["text"] == "text in en"


@pytest.mark.parametrize("wrap", [lambda x: [x, 1], lambda x: (x, 1), lambda x: {"k": {"l": x}}])
def test_a_proxy_within_containers(wrap: Any) -> None:
    info = Info("info", JOB, labels=["where"])
    given = {"outer": wrap(PROXY)}
    in_context_of("alice", lambda: info.info_(given, {"where": wrap(PROXY)}))
    assert info.values[0] == ("info", {"outer": wrap("alice")})
    assert type(info.values[0][1]["outer"]) is type(wrap(1))
    assert info.label_values[0]["where"] == wrap("alice")


def test_a_state_that_is_a_proxy() -> None:
    state = Enum("state", JOB, ["on", "off"])
    in_context_of("on", lambda: state.state(PROXY))
    (stored,) = state.values
    assert stored == ("state", "on")
    assert type(stored[1]) is str


def test_a_dead_reference_as_label() -> None:
    class Target:
        def __str__(self) -> str:
            return "alive"

    target = Target()
    counter = Counter("counter", JOB, "u", labels=["target"])
    counter.inc(1, {"target": weakref.proxy(target)})
    del target
    assert counter.label_values[0]["target"] == "alive"


def test_a_proxy_of_nothing_harms_nobody() -> None:
    counter = Counter("counter", JOB, "u", labels=["user"])
    counter.inc(1, {"user": PROXY})
    assert counter.label_values[0]["user"] == "<LocalProxy without text>"


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: int


@pytest.mark.parametrize(
    "value",
    [
        "text",
        1,
        2.5,
        True,
        None,
        Colour.RED,
        Point(1),
        datetime.datetime(2024, 1, 2),
        datetime.timedelta(1),
        uuid.UUID(int=1),
        decimal.Decimal(1),
        b"bytes",
        type("Text", (str,), {})("text"),
    ],
)
def test_plain_values_stay_what_they_are(value: Any) -> None:
    counter = Counter("counter", JOB, "u", labels=["label"])
    counter.inc(1, {"label": value})
    assert counter.label_values[0]["label"] is value


def test_what_json_cannot_hold_is_logged_as_before(caplog: pytest.LogCaptureFixture) -> None:
    class Unknown:
        def __str__(self) -> str:
            return "its text"

    counter = Counter("counter", JOB, "u", labels=["label"])
    counter.inc(1, {"label": Unknown()})
    with caplog.at_level(logging.WARNING):
        assert b'"label":"its text"' in waiting_to_json(counter)
    assert "Unknown" in caplog.text


def test_endless_and_huge_containers_end() -> None:
    endless: list[Any] = []
    endless.append(endless)
    twice: Any = PROXY
    for _ in range(60):
        twice = [twice, twice]
    counter = Counter("counter", JOB, "u", labels=["label"])
    for value in (endless, twice):
        counter.inc(1, {"label": value})
    assert len(counter.label_values) == 2
