"""Messages that the broker refuses, or accepts and gives to no queue."""

from __future__ import annotations

from faults.outcome import Outcome
from faults.scenario import scenario
from faults.scene import Scene

COUNT_S = 20.0
OVERSIZE_BYTES = 900_000
# Above what records that travel together make up, below the oversized one.
MESSAGE_LIMIT_BYTES = 600_000
DEFAULT_MESSAGE_LIMIT_BYTES = 134_217_728


@scenario("right to publish withdrawn, then given back")
def right_withdrawn(scene: Scene) -> None:
    scene.record()
    scene.permit_writing(False)
    # The broker knows for a while what a channel may do; a new one has to ask.
    scene.node.close_all_connections("other rights")
    scene.worker.wait_for_stats("retried", 1, COUNT_S)
    scene.record(2.0)
    assert "403" in scene.last_errors()
    scene.permit_writing(True)
    scene.record()


@scenario(
    "queue full, messages refused, then drained",
    queue={"x-max-length": 20, "x-overflow": "reject-publish"},
)
def queue_full(scene: Scene) -> None:
    scene.record()
    scene.consumer_leaves()
    scene.worker.wait_for_stats("nacked", 1, COUNT_S)
    scene.record()
    scene.consumer_comes()
    scene.record()


@scenario("consumer away while the broker restarts, back afterwards")
def consumer_away(scene: Scene) -> None:
    scene.record()
    scene.consumer_leaves()
    scene.node.restart()
    scene.worker.wait_for_stats("returned", 1, COUNT_S)
    scene.record()
    # A flush does not wait for a consumer that may never come.
    assert scene.worker.ask("flush", COUNT_S) == [False, False]
    scene.consumer_comes()
    scene.record()


@scenario(
    "started in an outage, broker back before its consumers",
    before=Scene.broker_is_away,
    consumer=False,
)
def started_in_an_outage(scene: Scene) -> None:
    scene.record()
    scene.proxy.forward()
    scene.worker.wait_for_stats("returned", 1, COUNT_S)
    scene.record()
    assert scene.worker.ask("flush", COUNT_S) == [False, False]
    scene.consumer_comes()
    scene.record()


@scenario("no consumer, ever", consumer=False, drops="unroutable")
def nobody_there(scene: Scene) -> Outcome:
    scene.record(2.0)
    outcome = scene.settle("no consumer, ever")
    assert outcome.received == 0
    for handler in ("thread", "loop"):
        assert scene.logged(f"{handler} handler - .*no consumer reads") == 1
    return outcome


@scenario("a message larger than the broker takes, among others", drops="refused")
def oversize(scene: Scene) -> Outcome:
    scene.limit_messages(MESSAGE_LIMIT_BYTES)
    try:
        scene.record()
        scene.worker.ask("oversize", OVERSIZE_BYTES)
        scene.record()
        outcome = scene.settle("a message larger than the broker takes, among others")
    finally:
        scene.limit_messages(DEFAULT_MESSAGE_LIMIT_BYTES)
    assert outcome.dropped == {"refused": 1}
    return outcome
