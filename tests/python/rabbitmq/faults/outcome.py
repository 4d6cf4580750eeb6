"""What became of the records of one scenario."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from receiver import Message, Receiver

SERIAL = "gauge"
"""The metric whose values number the calls of a job."""


class Tally:
    """Counts what receivers get, each message once whichever of them got it."""

    def __init__(self) -> None:
        self.records = 0
        self._serials: dict[str, Counter[int]] = {}
        self._known: set[str | None] = set()
        self._repeated = 0
        self._receivers: list[Receiver] = []
        self._read: list[int] = []

    def add(self, receiver: Receiver) -> None:
        """Count what this one gets, too."""
        self._receivers.append(receiver)
        self._read.append(0)

    def read(self) -> int:
        """Read the messages that are new; return how many records there are now."""
        for index, receiver in enumerate(self._receivers):
            messages = receiver.messages
            for message in messages[self._read[index] :]:
                self._count(message)
            self._read[index] = len(messages)
        return self.records

    def _count(self, message: Message) -> None:
        if message.message_id in self._known:
            self._repeated += 1
            return
        self._known.add(message.message_id)
        for record in message.records:
            self.records += 1
            if record["metric"] == SERIAL:
                serials = self._serials.setdefault(record["job"], Counter())
                serials[int(record["value"][1])] += 1

    @property
    def repeated_messages(self) -> int:
        """Messages that came again with their `message_id`, which consumers can drop."""
        return self._repeated + sum(receiver.repeated for receiver in self._receivers)

    def repeated_calls(self) -> dict[str, list[int]]:
        """Calls whose records came in two messages, by job; there should be none."""
        found = {
            job: [number for number, times in serials.items() if times > 1]
            for job, serials in self._serials.items()
        }
        return {job: numbers[:10] for job, numbers in found.items() if numbers}

    def lacking_calls(self, calls: dict[str, int]) -> dict[str, list[int]]:
        """Calls that did not come, by job."""
        found = {
            job: sorted(set(range(count)) - set(self._serials.get(job, ())))
            for job, count in calls.items()
        }
        return {job: numbers[:10] for job, numbers in found.items() if numbers}


@dataclass(frozen=True)
class Outcome:
    """
    What became of the records of one scenario.

    Attributes:
        dropped: records given up and counted, by reason.
        repeated: messages that came again with their `message_id`.
        slowest_s: the slowest profiled call, all of it.
        lag_s: how late the event loop was at most.
        took_s: recording, fault and delivery together.
    """

    fault: str
    recorded: int
    received: int
    dropped: dict[str, int] = field(default_factory=dict)
    repeated: int = 0
    slowest_s: float = 0.0
    lag_s: float = 0.0
    took_s: float = 0.0

    @property
    def unaccounted(self) -> int:
        """Records neither received nor counted as dropped."""
        return self.recorded - self.received - sum(self.dropped.values())


NOTHING: dict[str, Any] = {"calls": {}, "records": 0, "slowest_s": 0.0, "lag_s": 0.0}
"""What a process measured that recorded nothing."""


def together(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """What two processes measured, with jobs of their own."""
    return {
        "calls": one["calls"] | other["calls"],
        "records": one["records"] + other["records"],
        "slowest_s": max(one["slowest_s"], other["slowest_s"]),
        "lag_s": max(one["lag_s"], other["lag_s"]),
    }


def dropped(stats: list[dict[str, Any]]) -> dict[str, int]:
    """The records that handlers gave up, by reason."""
    total: Counter[str] = Counter()
    for one in stats:
        total.update(one["dropped"])
    return {reason: count for reason, count in total.items() if count}
