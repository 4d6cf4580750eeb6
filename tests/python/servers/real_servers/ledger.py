"""What was asked for beside what arrived: every finished call once, at the right path."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pika
from receiver import EXCHANGE, Receiver

from tools.rabbitmq.ports import HOST

from .clients import READY, Answered, Failed, Log

CALLS = ("view", "view.load", "view.load.query", "view.store")
"""Paths of one request."""
NOTED = "view.load.query"
"""Where a request's name is recorded."""
LOSABLE_S = 0.25
"""
What a process that is killed may take with it: 50 ms of records on a machine that has time, and
here what a busy one needs to get as far as that.
"""


@dataclass(frozen=True)
class Killed:
    """A process that was killed, and when in the time of `time.monotonic`."""

    pid: int
    at: float

    def may_have_taken(self, answer: Answered) -> bool:
        return answer.pid == self.pid and answer.at > self.at - LOSABLE_S


@dataclass
class Ledger:
    """
    What is to arrive, and what did.

    Attributes:
        module: leads the paths.
        extra: paths beside `CALLS`, with how often each is to arrive.
        cut: names of requests that arrive though they never get a full answer.
        received: how often each path arrived.
        requests: how often each request's name arrived.
        elsewhere: where else names of requests arrived from.
        beforehand: records of the request that found the server ready, counted nowhere else.
        losable_from: answers later than that may be missing, in the time of `time.monotonic`.
    """

    module: str
    answered: list[Answered] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)
    killed: list[Killed] = field(default_factory=list)
    extra: dict[str, int] = field(default_factory=dict)
    cut: set[str] = field(default_factory=set)
    received: Counter[str] = field(default_factory=Counter)
    requests: Counter[str] = field(default_factory=Counter)
    elsewhere: Counter[str] = field(default_factory=Counter)
    beforehand: int = 0
    losable_from: float = float("inf")

    def note(self, log: Log) -> None:
        """Take over what the clients saw."""
        with log.changed:
            self.answered.extend(log.answered)
            self.failed.extend(log.failed)

    @property
    def certain(self) -> list[Answered]:
        """Answered requests whose records nothing excuses from arriving."""
        return [
            answer
            for answer in self.answered
            if answer.at < self.losable_from
            and not any(killed.may_have_taken(answer) for killed in self.killed)
        ]

    @property
    def lost(self) -> list[Answered]:
        """Answered requests that did not arrive."""
        return [answer for answer in self.answered if not self.requests[answer.request]]

    @property
    def recorded(self) -> int:
        """Records of the answered requests: one per call, and the request's name."""
        beside = sum(self.extra.values()) + len(self.cut)
        return len(self.answered) * (len(CALLS) + 1) + beside

    @property
    def arrived(self) -> int:
        """Records that arrived."""
        return self.received.total() + self.requests.total() + self.elsewhere.total()

    @property
    def misplaced(self) -> int:
        """Records at paths that no call has."""
        return (
            sum(count for path, count in self.received.items() if path not in self._known())
            + self.elsewhere.total()
        )

    def _known(self) -> set[str]:
        return {f"{self.module}:{path}" for path in (*CALLS, *self.extra)}

    def receive(self, receiver: Receiver, port: int) -> None:
        """Count what has arrived once nothing is sent any more."""
        drain(receiver, port)
        for record in receiver.records:
            self._count(record)

    def _count(self, record: Mapping[str, Any]) -> None:
        labels = record["labels"]
        if "request" not in labels:
            self.received[record["method"]] += 1
        elif labels["request"] == READY:
            self.received.subtract({f"{self.module}:{path}": 1 for path in CALLS})
            self.beforehand += len(CALLS) + 1
        elif record["method"] in self._known():
            self.requests[labels["request"]] += 1
        else:
            self.elsewhere[record["method"]] += 1

    def check(self) -> None:
        """Fail unless every finished call arrived once, at its path."""
        assert self.misplaced == 0, (self.received - Counter(self._known()), self.elsewhere)
        twice = {name: count for name, count in self.requests.items() if count > 1}
        assert not twice, f"arrived more than once: {twice}"
        certain = {answer.request for answer in self.certain}
        lacking = sorted((certain | self.cut) - set(self.requests))
        assert not lacking, f"{len(lacking)} of {len(certain)} lost: {lacking[:10]}"
        unknown = {failed.request for failed in self.failed}
        most = len(self.answered) + len(unknown)
        for path in CALLS:
            count = self.received[f"{self.module}:{path}"]
            assert len(certain) <= count <= most, (path, count, len(certain), most)
        for path, count in self.extra.items():
            assert self.received[f"{self.module}:{path}"] == count, (path, self.received)


def lines_of(text: str, module: str) -> Counter[str]:
    """How often each path occurs in what a `StreamHandler` wrote."""
    paths: Iterable[str] = (
        line.partition("method: ")[2].partition(",")[0] for line in text.splitlines()
    )
    return Counter(path for path in paths if path.startswith(f"{module}:"))


def drain(receiver: Receiver, port: int) -> None:
    """Wait until all that the broker has so far has arrived: the last message comes last."""
    with pika.BlockingConnection(pika.ConnectionParameters(HOST, port)) as connection:
        properties = pika.BasicProperties(message_id="last")
        connection.channel().basic_publish(EXCHANGE, "", json.dumps([]).encode(), properties)
    receiver.wait_for(lambda messages: any(m.message_id == "last" for m in messages), "last")
