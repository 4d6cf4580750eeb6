"""Processes that die with records on disk, and those that send them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from phanos._arguments import connection
from phanos._handlers.rabbitmq import AsyncImpProfHandler
from proxy import Proxy
from receiver import Receiver
from sample_records import record
from spool_processes import Recording, by_worker, numbers
from spooling_program import FORK_AT, hand_over

DEADLINE_S = 30.0
ENOUGH = 400
OWN = 0


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def adopter(
    monkeypatch: pytest.MonkeyPatch, proxy: Proxy, directory: Path
) -> Iterator[AsyncImpProfHandler]:
    """A handler of this process, at work with the same destination and directory."""
    monkeypatch.setattr(connection, "SPOOL_ADOPT_S", 0.1)
    handler = AsyncImpProfHandler("adopter", port=proxy.port, spool_directory=str(directory))
    yield handler
    handler.publisher._delivery.stop().wait(DEADLINE_S)


def received(receiver: Receiver, wanted: set[int]) -> list[int]:
    """Return the numbers of all records, once those wanted are among them."""
    receiver.wait_for(
        lambda messages: wanted <= set(numbers([r for m in messages for r in m.records])),
        f"{len(wanted)} records",
        DEADLINE_S,
    )
    return [number for number in numbers(receiver.records) if number != OWN]


def test_what_a_process_killed_in_an_outage_recorded_is_sent_by_another(
    proxy: Proxy, receiver: Receiver, directory: Path, adopter: AsyncImpProfHandler
) -> None:
    proxy.refuse()
    with Recording(proxy.port, directory) as recording:
        recording.wait_for(ENOUGH)
        wanted = recording.kill()
    assert len(wanted) > ENOUGH / 2
    proxy.forward()
    hand_over(adopter, [record(OWN)])
    arrived = received(receiver, wanted)
    assert arrived == sorted(set(arrived)), "each once, in order"
    assert adopter.publisher._delivery.flush().wait(DEADLINE_S)
    assert adopter.stats()["adopted"] == len(arrived)
    assert adopter.stats()["spooled"] == 0


def test_a_process_killed_with_the_broker_up_loses_its_last_moment_only(
    proxy: Proxy, receiver: Receiver, directory: Path, adopter: AsyncImpProfHandler
) -> None:
    with Recording(proxy.port, directory) as recording:
        recording.wait_for(ENOUGH)
        wanted = recording.kill()
    hand_over(adopter, [record(OWN)])
    arrived = received(receiver, wanted)
    assert sorted(arrived) == sorted(set(arrived)), "each once"


def test_a_running_process_adopts_from_several_that_die(
    proxy: Proxy, receiver: Receiver, directory: Path, adopter: AsyncImpProfHandler
) -> None:
    proxy.refuse()
    hand_over(adopter, [record(OWN)])
    with (
        Recording(proxy.port, directory) as one,
        Recording(proxy.port, directory) as other,
    ):
        for recording in (one, other):
            recording.wait_for(ENOUGH)
        assert adopter.stats()["adopted"] == 0, "both are alive"
        # The process with fewer records covers less: hence by size, the smaller one last.
        wanted = sorted((one.kill(), other.kill()), key=len, reverse=True)
        proxy.forward()
        receiver.wait_for(
            lambda messages: all(
                sum(each <= recorded for recorded in by_worker(messages).values()) >= count
                for count, each in enumerate(wanted, start=1)
            ),
            "the records of both",
            DEADLINE_S,
        )
    recorded = by_worker(receiver.messages)
    assert len(recorded) == 3
    assert sum(map(len, recorded.values())) == len(receiver.records), "each once"


def test_a_child_that_lives_on_keeps_nobody_from_adopting(
    proxy: Proxy, receiver: Receiver, directory: Path, adopter: AsyncImpProfHandler
) -> None:
    proxy.refuse()
    with Recording(proxy.port, directory, "fork") as recording:
        recording.wait_for(FORK_AT + ENOUGH)
        wanted = recording.kill()
        proxy.forward()
        hand_over(adopter, [record(OWN)])
        # The child goes when its standard input ends, hence after this.
        assert wanted <= set(received(receiver, wanted))


def test_a_disk_that_is_full_is_told_and_memory_does(
    proxy: Proxy, receiver: Receiver, directory: Path
) -> None:
    proxy.refuse()
    with Recording(proxy.port, directory, "small") as recording:
        recording.wait_for(1)
        (count,) = recording.handed_over
        proxy.forward()
        recording.go_on()
        stats = json.loads(recording.line())
    assert "spool" in stats["told"]
    assert {reason for reason, lost in stats["dropped"].items() if lost} == set()
    records = receiver.wait_for_records(count, DEADLINE_S)
    assert numbers(records) == list(range(1, count + 1))
