"""What is on the wire is what phanos 0.3.2 puts there, sent to the same broker."""

from __future__ import annotations

import asyncio
import itertools
import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import phanos
import pika
import pytest
from oracle_runs import KINDS, oracle_publishes, oracle_python
from phanos import messaging, publisher
from receiver import Message, Receiver
from support import SUBPROCESS_DEADLINE_S

from tools.rabbitmq import Node
from tools.rabbitmq.ports import HOST

PROGRAM = Path(__file__).with_name("wire_program.py")
METRICS = ("histogram", "summary", "counter", "gauge", "info", "enum", "own", "lists")
RECORD: dict[str, Any] = {
    "item": "A",
    "metric": "histogram",
    "units": "mS",
    "job": "JOB",
    "method": "A:root.leaf",
    "labels": {"error_raised": False},
    "value": ("observe", 0.09),
}
BATCHES: list[list[dict[str, Any]]] = [
    [RECORD],
    [RECORD, {**RECORD, "job": "other"}, {**RECORD, "labels": {}}],
    [{**RECORD, "job": "žluť"}],
    [{**RECORD, "job": ""}],
    [{**RECORD, "job": "line\nbreak"}],
    [{**RECORD, "job": "j" * 255}],
    [RECORD, {"no": "job", "value": ("set", 1)}],
    [{**RECORD, "labels": {"city": "Brno-střed", "n": 1, "f": 1e22, "none": None, "l": [[]]}}],
    [{**RECORD, "value": ("info", {"a": {"b": []}})}],
    [{"value": ("observe", 1.5), "job": "JOB", "labels": {}, "more": True}],
    [RECORD] * 100,
]


def publish_all(kind: str, port: int) -> None:
    """Publish the batches as `oracle_publishes` does."""
    if kind in ("asyncio", "async-handler"):
        asyncio.run(publish_all_async(kind, port))
        return
    given: Any = None
    if kind == "blocking":
        given = messaging.BlockingPublisher(port=port)
        publish = given.publish
    else:
        given = publisher.ImpProfHandler("ours", port=port)
        publish = given.handle
    for batch in BATCHES:
        publish(batch)
    given.close()


async def publish_all_async(kind: str, port: int) -> None:
    """The same from coroutines."""
    given: Any = None
    if kind == "asyncio":
        given = messaging.AsyncioPublisher(port=port)
        publish = given.publish
    else:
        given = await publisher.AsyncImpProfHandler.create("ours", port=port)
        publish = given.handle
    for batch in BATCHES:
        await publish(batch)
    await given.close()


def seen(messages: list[Message]) -> list[tuple[str, str, bytes]]:
    return [(message.exchange, message.routing_key, message.body) for message in messages]


@pytest.mark.parametrize("kind", KINDS)
def test_batches_are_the_same_messages(kind: str, broker: Node, receiver: Receiver) -> None:
    count = len(BATCHES)
    oracle_publishes(kind, broker.port, *BATCHES)
    upstream = receiver.wait_for_messages(count)
    receiver.clear()
    publish_all(kind, broker.port)
    if "handler" not in kind:
        assert seen(receiver.wait_for_messages(count)) == seen(upstream)
        return
    # Batches that wait together travel together: record by record then, by routing key.
    receiver.wait_for_records(sum(len(batch) for batch in BATCHES))
    assert contents(receiver.messages) == contents(upstream)


def contents(messages: list[Message]) -> dict[str, bytes]:
    """Return what is between the brackets of all bodies, by routing key."""
    found: dict[str, list[bytes]] = defaultdict(list)
    for message in messages:
        assert message.body[:1] + message.body[-1:] == b"[]"
        found[message.routing_key].append(message.body[1:-1])
    return {key: b",".join(parts) for key, parts in found.items()}


def by_metric(messages: list[Message]) -> list[list[Message]]:
    """Group messages by what the program has as their routing key, metric and units."""

    def key(message: Message) -> str:
        first = message.records[0]
        return repr((message.routing_key, first["metric"], first["units"], first["item"]))

    return [list(group) for _, group in itertools.groupby(sorted(messages, key=key), key)]


def run_program(python: Path, kind: str, port: int) -> None:
    """Run `wire_program.py`."""
    arguments = ["-E"] if python == oracle_python() else ["-W", "error"]
    done = subprocess.run(
        [python, *arguments, PROGRAM, kind, str(port)],
        capture_output=True,
        text=True,
        timeout=SUBPROCESS_DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_program_sends_the_same_records(kind: str, broker: Node, receiver: Receiver) -> None:
    run_program(oracle_python(), kind, broker.port)
    # Two roots, one message of each metric.
    upstream = receiver.wait_for_messages(2 * len(METRICS))
    receiver.clear()
    run_program(Path(sys.executable), kind, broker.port)
    receiver.wait_for_records(sum(len(message.records) for message in upstream))
    ours = receiver.messages
    theirs, mine = by_metric(upstream), by_metric(ours)
    assert len(theirs) == len(mine) >= len(METRICS)
    for expected, actual in zip(theirs, mine, strict=True):
        assert contents(actual) == contents(expected)
    # The order of messages of different metrics is not promised beyond this.
    first = [message.routing_key for message in ours[: len(METRICS)]]
    assert first == [message.routing_key for message in upstream[: len(METRICS)]]


def declares(port: int, **properties: Any) -> bool:
    """Tell whether the broker takes a declaration of the exchange that is there already."""
    with pika.BlockingConnection(pika.ConnectionParameters(HOST, port)) as connection:
        try:
            connection.channel().exchange_declare("profiling", **properties)
        except pika.exceptions.ChannelClosedByBroker:
            return False
        return True


def delete_exchange(port: int) -> None:
    with pika.BlockingConnection(pika.ConnectionParameters(HOST, port)) as connection:
        connection.channel().exchange_delete("profiling")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("first", ["ours", "0.3.2"])
def test_old_and_new_workers_share_a_broker(kind: str, first: str, broker: Node) -> None:
    delete_exchange(broker.port)
    workers = [
        lambda: publish_all(kind, broker.port),
        lambda: oracle_publishes(kind, broker.port, *BATCHES),
    ]
    if first == "0.3.2":
        workers.reverse()
    workers[0]()
    assert declares(broker.port, exchange_type="fanout")
    for other in ({"durable": True}, {"auto_delete": True}, {"internal": True}):
        assert not declares(broker.port, exchange_type="fanout", **other)
    with Receiver(broker.port) as receiver:
        for worker in workers:
            worker()
            receiver.wait_for_records(sum(len(batch) for batch in BATCHES))
            receiver.clear()


def test_properties_are_what_the_contract_allows(broker: Node, receiver: Receiver) -> None:
    handler = publisher.ImpProfHandler("rabbit", port=broker.port)
    for number in range(3):
        handler.handle([{**RECORD, "job": str(number)}], "a metric")
    assert handler.flush()
    messages = receiver.wait_for_messages(3)
    workers = set()
    for message in messages:
        given = {name: value for name, value in vars(message.properties).items() if value}
        assert given.pop("content_type") == "application/json"
        assert given.pop("message_id")
        assert given.pop("delivery_mode") == 2
        headers = given.pop("headers")
        assert headers.pop("x-phanos-metric") == "a metric"
        assert headers.pop("x-phanos-settled") >= 1
        workers.add(headers.pop("x-phanos-worker"))
        assert not headers
        assert not given
    assert len(workers) == 1
    assert len({message.message_id for message in messages}) == 3
    other = messaging.BlockingPublisher(port=broker.port)
    assert other.publish([RECORD])
    last = receiver.wait_for_messages(4)[-1]
    assert last.properties.headers["x-phanos-worker"] not in workers
    other.close()
    handler.close()


def test_names_with_lone_surrogates_are_sent_as_text(broker: Node, receiver: Receiver) -> None:
    handler = publisher.ImpProfHandler("rabbit", port=broker.port)
    handler.handle([{**RECORD, "job": "j\udc80", "metric": "m\udc80"}], "n\udc80")
    assert handler.flush()
    (message,) = receiver.wait_for_messages(1)
    assert message.properties.headers["x-phanos-metric"] == "n\\udc80"
    (sent,) = message.records
    assert (sent["job"], sent["metric"]) == ("j\\udc80", "m\\udc80")
    with pytest.raises(TypeError, match="name"):
        handler.handle([RECORD], 5)  # type: ignore[arg-type]
    handler.close()


def test_records_that_wait_together_travel_together(broker: Node, receiver: Receiver) -> None:
    roots = 2000
    profiler = phanos.publisher.Profiler()
    profiler.config(job="JOB", response_size_profile=False, time_profile=False)
    names = ("first", "second", "third")
    numbered = [phanos.metrics.Gauge(name, "JOB", name) for name in names]
    for metric in numbered:
        profiler.add_metric(metric)
    handler = publisher.ImpProfHandler("rabbit", port=broker.port)
    profiler.add_handler(handler)

    @profiler.profile
    def root(number: int) -> None:
        for metric in numbered:
            metric.set(number)

    for number in range(roots):
        root(number)
    assert profiler.flush(20)
    receiver.wait_for_records(roots * len(names))
    values = defaultdict(list)
    for message in receiver.messages:
        assert len({record["units"] for record in message.records}) == 1
        assert message.body == json.dumps(message.records, separators=(",", ":")).encode()
        for record in message.records:
            values[record["units"]].append(record["value"])
    assert values == {name: [["set", float(number)] for number in range(roots)] for name in names}
    assert list(values) == list(names), "metrics are sent in the order they were added"
    assert len(receiver.messages) < roots / 4
    assert handler.stats()["confirmed"] == roots * len(names)
    assert handler.stats()["messages"] == len(receiver.messages)
    handler.close()


def test_what_json_cannot_hold_is_sent_as_text(
    broker: Node, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    handler = publisher.ImpProfHandler("rabbit", port=broker.port, logger="odd")
    odd = {**RECORD, "labels": {"big": 2**70, 5: object, "half": "\udc80"}}
    handler.handle([odd])
    handler.handle([odd])
    assert handler.flush()
    records = receiver.wait_for_records(2)
    assert [record["labels"] for record in records] == [
        {"big": str(2**70), "5": "<class 'object'>", "half": "\\udc80"}
    ] * 2
    told = [record.getMessage() for record in caplog.records if record.name == "odd"]
    assert len([line for line in told if "64 bits" in line]) == 1
    handler.close()


def test_routing_keys_are_cut_where_amqp_ends(broker: Node, receiver: Receiver) -> None:
    given = messaging.BlockingPublisher(port=broker.port)
    job = "x" + "é" * 127 + "end"
    assert given.publish([{**RECORD, "job": job}])
    [message] = receiver.wait_for_messages(1)
    assert message.routing_key == "x" + "é" * 127
    assert message.records[0]["job"] == job
    given.close()
