"""What stands around one scenario: worker, network, broker, consumer; and what came of it."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import ChannelClosedByBroker
from proxy import Proxy
from receiver import Receiver

from faults.outcome import NOTHING, Outcome, Tally, dropped, together
from faults.worker import Worker
from tools.rabbitmq import Node

CALLS_PER_S = 2000.0
SETTLE_S = 45.0
CLOSE_S = 10.0
POLL_INTERVAL_S = 0.1
QUICK: dict[str, Any] = {
    "heartbeat": 2,
    "timeout": 2,
    "stack_timeout": 2,
    "socket_timeout": 2,
    "retry_delay": 0.05,
}
"""A handler's patience, short enough for tests."""
# It writes what it confirms to the disk: what is lost then was not lost by the broker.
QUORUM = {"x-queue-type": "quorum"}


class Scene:
    """
    One scenario's surroundings. Its exchange and queue are its own; the node is shared.

    Attributes:
        patience: how many times as long as in tests a fault should last, where it can.
        directory: of the spool, if handlers have one.
        under: the command that runs workers.
        connects: whether workers begin by connecting.
    """

    def __init__(
        self,
        node: Node,
        folder: Path,
        *,
        name: str,
        handler: dict[str, Any] | None = None,
        queue: dict[str, Any] | None = None,
        consumer: bool = True,
        tls: bool = False,
        before: Callable[[Scene], None] | None = None,
        spool: bool = False,
        patience: float = 1.0,
    ) -> None:
        self.node = node
        self.patience = patience
        self.exchange = f"profiling.{name}"
        self.folder = folder
        self.directory = folder / f"{name}.spool"
        self.under: Sequence[str] = ()
        self.connects = True
        self._name = name
        self._before = before
        self._workers = 0
        self._earlier = NOTHING
        self._receiver: Receiver | None = None
        self._queue = QUORUM if queue is None else queue
        self._consumer = consumer
        self._tally = Tally()
        self._waiting = threading.Event()
        self._began = time.monotonic()
        self._proxy = Proxy(node.tls_port if tls else node.port)
        self.arguments = QUICK | {"exchange_name": self.exchange} | (handler or {})
        self.arguments["port"] = self._proxy.port
        if spool:
            self.arguments["spool_directory"] = str(self.directory)
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Scene:
        with self._stack as stack:
            self.proxy = stack.enter_context(self._proxy)
            stack.callback(self.consumer_leaves)
            if self._consumer:
                self.consumer_comes()
            if self._before is not None:
                self._before(self)
            self.worker = self._next_worker()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def keep(self, context: contextlib.AbstractContextManager[Any]) -> None:
        """Have something end with the scene."""
        self._stack.enter_context(context)

    def _next_worker(self) -> Worker:
        """Start a worker, with jobs and a log of its own."""
        suffix = f" {self._workers}" if self._workers else ""
        self._workers += 1
        worker = Worker(
            self.folder / f"{self._name}{suffix}.log",
            CALLS_PER_S,
            self.arguments,
            connects=self.connects,
            suffix=suffix,
            under=self.under,
        )
        return self._stack.enter_context(worker)

    # --- Consumer and administrator ---

    def consumer_comes(self) -> None:
        """Start a consumer, and wait until it is ready."""
        receiver = Receiver(
            self.node.port,
            exchange=self.exchange,
            queue=f"{self.exchange}.queue",
            queue_arguments=self._queue,
        )
        self._tally.add(receiver)
        self._receiver = receiver.__enter__()

    def consumer_leaves(self) -> None:
        """Stop the consumer, if there is one; its queue goes on collecting."""
        if self._receiver is not None:
            self._receiver.stop()
            self._receiver = None

    @contextlib.contextmanager
    def administrator(self) -> Iterator[BlockingChannel]:
        """A channel of an administrator."""
        parameters = pika.ConnectionParameters(self.node.host, self.node.port)
        with pika.BlockingConnection(parameters) as connection:
            yield connection.channel()

    def broker_is_away(self) -> None:
        """Refuse connections, and have workers begin without one."""
        self.proxy.refuse()
        self.connects = False

    def kill_broker(self) -> None:
        """
        Kill the node, which may forget messages by that, but not the queue itself: quorum queues
        write down half a second late that they exist.
        """
        self.node.ctl("eval", "[dets:sync(T) || T <- dets:all()].")
        self.node.kill()

    def delete_exchange(self) -> None:
        """Delete the exchange, and with it the bindings of queues."""
        with self.administrator() as channel:
            channel.exchange_delete(self.exchange)

    def limit_messages(self, size: int) -> None:
        """Have the broker refuse larger messages on channels opened from now on; close all."""
        self.node.ctl("eval", f"application:set_env(rabbit, max_message_size, {size}).")
        self.node.close_all_connections("another limit")

    def permit_writing(self, on: bool) -> None:
        """Let all users publish, or none of them to the exchange; all may read and declare."""
        write = ".*" if on else "amq.default|.*queue"
        self.node.ctl("set_permissions", "guest", ".*", write, ".*")

    def replace_exchange(self, **properties: Any) -> None:
        """Delete the exchange and make one with other properties, before another client does."""
        end = time.monotonic() + SETTLE_S
        while True:
            try:
                with self.administrator() as channel:
                    channel.exchange_delete(self.exchange)
                    channel.exchange_declare(self.exchange, "fanout", **properties)
                return
            except ChannelClosedByBroker:
                assert time.monotonic() < end, f"a client is always faster, {SETTLE_S} s long"

    # --- Recording and its end ---

    def record(self, seconds: float = 1.0) -> None:
        """Let the worker record for so long."""
        self.worker.record_for(seconds)

    def wait(self, seconds: float) -> None:
        """Let time pass, for faults that consist in it."""
        self._waiting.wait(seconds)

    def quiet(self) -> None:
        """Record nothing for now, and let what was recorded be delivered."""
        self.worker.ask("pause", True)
        assert self.worker.ask("flush", SETTLE_S) == [True, True], self._state()

    def loud(self) -> None:
        """Record again."""
        self.worker.ask("pause", False)

    def wait_for_attempts(self, count: int) -> None:
        """Wait until both handlers have tried to connect so often."""
        before = self.proxy.accepted
        end = time.monotonic() + SETTLE_S
        while self.proxy.accepted < before + 2 * count:
            assert time.monotonic() < end, f"{self.proxy.accepted - before} attempts"
            self.wait(POLL_INTERVAL_S)

    def last_errors(self) -> str:
        """What went wrong last, by both handlers' account."""
        return "\n".join(str(stats["last_error"]) for stats in self.worker.ask("stats"))

    def logged(self, pattern: str) -> int:
        """How many lines the worker has logged that contain the pattern."""
        return len(re.findall(pattern, self.worker.log))

    def wait_until(self, condition: Callable[[], object], what: str) -> None:
        """Wait until something is so."""
        end = time.monotonic() + SETTLE_S
        while not condition():
            assert time.monotonic() < end, f"not {what}\n{self._state()}"
            self.wait(POLL_INTERVAL_S)

    # --- What processes leave on disk that are gone ---

    def left(self, records: int) -> None:
        """Count records that others than the worker have left for it."""
        self._earlier = together(self._earlier, NOTHING | {"records": records})

    def kill_with_everything_on_disk(self) -> None:
        """Stop recording, and kill the worker once its spool has all that it recorded."""
        measured = self.worker.ask("stop")

        def is_on_disk() -> bool:
            on_disk = sum(stats["spooled"] for stats in self.worker.ask("stats"))
            return bool(on_disk == measured["records"])

        self.wait_until(is_on_disk, f"{measured['records']} records on disk")
        self.worker.kill()
        self._earlier = together(self._earlier, measured)

    def another_worker(self) -> None:
        """Start another worker."""
        self.worker = self._next_worker()

    def settle(self, fault: str) -> Outcome:
        """Stop recording, wait until every record is received or counted, and end the worker."""
        measured = together(self._earlier, self.worker.ask("stop"))
        end = time.monotonic() + SETTLE_S
        lost = dropped(self.worker.ask("stats"))
        while self._tally.read() + sum(lost.values()) < measured["records"]:
            assert time.monotonic() < end, f"unaccounted: {measured}\n{self._state()}"
            self.wait(POLL_INTERVAL_S)
            lost = dropped(self.worker.ask("stats"))
        outcome = self.outcome(fault, measured, lost)
        if not lost:
            lacking = self._tally.lacking_calls(measured["calls"])
            assert not lacking, f"lacking calls: {lacking}\n{self._state()}"
        assert self.worker.ask("close", CLOSE_S) == [True, True], self._state()
        self.worker.end()
        return outcome

    def wait_for_records(self, count: int) -> None:
        """Wait until the consumer has received so many."""
        end = time.monotonic() + SETTLE_S
        while (received := self._tally.read()) < count:
            assert time.monotonic() < end, f"{received} of {count} records received"
            self.wait(POLL_INTERVAL_S)

    def settle_without_worker(
        self, fault: str, measured: dict[str, Any], lost: dict[str, int]
    ) -> Outcome:
        """Wait until what a worker recorded that has ended is received or counted."""
        self.wait_for_records(measured["records"] - sum(lost.values()))
        return self.outcome(fault, measured, lost)

    def outcome(self, fault: str, measured: dict[str, Any], lost: dict[str, int]) -> Outcome:
        """What came of it, no record being twice in it nor too many."""
        twice = self._tally.repeated_calls()
        assert not twice, f"records came in two messages: {twice}"
        outcome = Outcome(
            fault=fault,
            recorded=measured["records"],
            received=self._tally.records,
            dropped=lost,
            repeated=self._tally.repeated_messages,
            slowest_s=measured["slowest_s"],
            lag_s=measured["lag_s"],
            took_s=time.monotonic() - self._began,
        )
        assert outcome.unaccounted == 0, f"more than were recorded: {outcome}"
        return outcome

    def _state(self) -> str:
        return f"{self._tally.records} received\n{self.worker.ask('stats')}\n{self.worker.log}"
