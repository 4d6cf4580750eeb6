"""Records on disk: longer outages than memory can bear, full and broken disks."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from phanos._arguments import connection
from phanos._handlers.rabbitmq import AsyncImpProfHandler
from proxy import Proxy
from receiver import Receiver
from sample_records import record
from spooling_program import METRIC, hand_over

DEADLINE_S = 30.0
ADOPT_S = 0.1
POLL_S = 0.005
PASSWORD = "not-to-be-written-down"
MakeHandler = Callable[..., AsyncImpProfHandler]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def make_handler(
    monkeypatch: pytest.MonkeyPatch, proxy: Proxy, directory: Path
) -> Iterator[MakeHandler]:
    """Makes handlers behind the proxy, with one spool directory."""
    monkeypatch.setattr(connection, "SPOOL_ADOPT_S", ADOPT_S)
    made: list[AsyncImpProfHandler] = []

    def make(**arguments: Any) -> AsyncImpProfHandler:
        given = {"port": proxy.port, "spool_directory": directory, **arguments}
        made.append(AsyncImpProfHandler("spooling", **given))
        return made[-1]

    yield make
    for handler in made:
        handler.publisher._delivery.stop().wait(DEADLINE_S)


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"not {what} within {DEADLINE_S} s"
        time.sleep(POLL_S)


def close(handler: AsyncImpProfHandler) -> bool | None:
    return handler.publisher._delivery.stop().wait(DEADLINE_S)


def flush(handler: AsyncImpProfHandler) -> bool | None:
    return handler.publisher._delivery.flush().wait(DEADLINE_S)


def wait_until_spooled(handler: AsyncImpProfHandler, count: int) -> None:
    wait_until(lambda: handler.stats()["spooled"] == count, f"{count} records on disk")


def numbers(records: list[dict[str, Any]]) -> list[int]:
    return [int(record["value"][1]) for record in records]


def wait_until_told(
    handler: AsyncImpProfHandler, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    def is_told() -> bool:
        handler._write_log_lines()
        return text in caplog.text

    wait_until(is_told, f"told of {text}")


def dropped(handler: AsyncImpProfHandler) -> dict[str, int]:
    return {reason: count for reason, count in handler.stats()["dropped"].items() if count}


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_an_outage_longer_than_memory_loses_nothing(
    make_handler: MakeHandler, proxy: Proxy, receiver: Receiver, directory: Path
) -> None:
    proxy.refuse()
    handler = make_handler(buffer_bytes=2_000_000)
    metrics = ("one", "two", "three")
    batches, size = 300, 200
    before = resident_bytes()
    for batch in range(batches):
        for metric in metrics:
            first = batch * size
            hand_over(handler, [record(first + i, method=metric) for i in range(size)], metric)
        if batch % 10 == 0:
            # As long as the disk keeps up; what it does otherwise is another test's matter.
            wait_until_spooled(handler, (batch + 1) * size * len(metrics))
    count = batches * size * len(metrics)
    wait_until_spooled(handler, count)
    grown = resident_bytes() - before
    on_disk = sum(file.stat().st_size for file in directory.iterdir())
    assert on_disk > 15_000_000, "it was a long outage"
    # 4 MB of bodies, buffers, the store's cache and what the allocator keeps.
    assert grown < 30_000_000, f"{grown} bytes more in memory"
    proxy.forward()
    records = receiver.wait_for_records(count, DEADLINE_S)
    for metric in metrics:
        own = [record for record in records if record["method"] == metric]
        assert numbers(own) == list(range(batches * size))
    assert flush(handler)
    assert dropped(handler) == {}
    assert handler.stats()["spooled"] == 0


def test_small_batches_of_a_long_outage_travel_together(
    make_handler: MakeHandler, proxy: Proxy, receiver: Receiver
) -> None:
    proxy.refuse()
    handler = make_handler()
    count = 60
    for number in range(count):
        hand_over(handler, [record(number)])
        wait_until_spooled(handler, number + 1)
    proxy.forward()
    assert numbers(receiver.wait_for_records(count)) == list(range(count))
    assert len(receiver.messages) == 1


def test_a_full_spool_lets_the_oldest_go_and_counts_them(
    make_handler: MakeHandler,
    proxy: Proxy,
    receiver: Receiver,
    caplog: pytest.LogCaptureFixture,
) -> None:
    proxy.refuse()
    handler = make_handler(spool_bytes=1_000_000)
    count = 0
    while not dropped(handler).get("spool"):
        hand_over(handler, [record(count + i) for i in range(500)])
        count += 500
        wait_until(lambda: handler.stats()["queue_age_s"] > 0.06, "old enough to be on disk")
        assert count < 200_000, "1 MB is about 8,000 records"
    proxy.forward()
    assert flush(handler)
    lost = dropped(handler)
    assert set(lost) == {"spool"}
    records = receiver.wait_for_records(count - lost["spool"])
    assert numbers(records) == list(range(lost["spool"], count))
    wait_until_told(handler, caplog, "records dropped: the spool is full")


def test_closing_in_an_outage_leaves_records_to_the_next(
    make_handler: MakeHandler, proxy: Proxy, receiver: Receiver
) -> None:
    proxy.refuse()
    first = make_handler()
    hand_over(first, [record(number) for number in range(1000)])
    assert close(first) is True
    assert dropped(first) == {}
    proxy.forward()
    second = make_handler()
    hand_over(second, [record(1000)])
    records = receiver.wait_for_records(1001)
    assert sorted(numbers(records)) == list(range(1001))
    wait_until(lambda: second.stats()["confirmed"] == 1001, "confirmed")
    assert second.stats()["adopted"] == 1000


def test_a_closed_handler_that_is_used_again_sends_what_it_left(
    make_handler: MakeHandler, proxy: Proxy, receiver: Receiver
) -> None:
    proxy.refuse()
    handler = make_handler()
    for first in (0, 100, 200):
        hand_over(handler, [record(first + i) for i in range(100)])
        assert close(handler) is True
    proxy.forward()
    hand_over(handler, [record(300)])
    records = receiver.wait_for_records(301)
    assert sorted(numbers(records)) == list(range(301))
    ids = [message.message_id for message in receiver.messages]
    assert len(set(ids)) == len(ids)
    assert receiver.repeated == 0


def test_two_handlers_of_one_process_share_a_directory(
    make_handler: MakeHandler, proxy: Proxy, receiver: Receiver, directory: Path
) -> None:
    proxy.refuse()
    one, other = make_handler(), make_handler()
    hand_over(one, [record(number) for number in range(1000)])
    hand_over(other, [record(number) for number in range(1000, 2000)])
    for handler in (one, other):
        wait_until_spooled(handler, 1000)
    assert len(list(directory.iterdir())) == 2
    proxy.forward()
    assert sorted(numbers(receiver.wait_for_records(2000))) == list(range(2000))
    for handler in (one, other):
        assert flush(handler)
        assert handler.stats()["adopted"] == 0
    assert receiver.repeated == 0


def test_files_are_private_know_no_password_and_go_when_done(
    make_handler: MakeHandler, proxy: Proxy, directory: Path
) -> None:
    proxy.refuse()
    handler = make_handler(user="spooler", password=PASSWORD)
    hand_over(handler, [record(1)])
    wait_until_spooled(handler, 1)
    (file,) = directory.iterdir()
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    content = file.read_bytes()
    assert METRIC.encode() in content
    assert PASSWORD.encode() not in content
    assert b"spooler" not in content


def test_an_empty_file_is_removed_by_closing(
    make_handler: MakeHandler, proxy: Proxy, receiver: Receiver, directory: Path
) -> None:
    proxy.refuse()
    handler = make_handler()
    hand_over(handler, [record(1)])
    wait_until_spooled(handler, 1)
    proxy.forward()
    receiver.wait_for_records(1)
    assert flush(handler)
    assert close(handler) is True
    assert list(directory.iterdir()) == []


def test_a_file_in_place_of_the_directory_is_told_and_memory_does(
    make_handler: MakeHandler,
    proxy: Proxy,
    receiver: Receiver,
    directory: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    proxy.refuse()
    handler = make_handler(buffer_bytes=100_000)
    directory.rmdir()
    directory.write_text("in the way")
    hand_over(handler, [record(0)])
    wait_until_told(handler, caplog, f"spool directory {directory} cannot be made")
    count = 1
    while not dropped(handler).get("full"):
        hand_over(handler, [record(count + i) for i in range(500)])
        count += 500
    proxy.forward()
    assert flush(handler)
    lost = dropped(handler)
    assert set(lost) == {"full"}
    assert (
        len(set(numbers(receiver.wait_for_records(count - lost["full"])))) == count - lost["full"]
    )
    assert directory.read_text() == "in the way"


def test_closing_without_disk_and_broker_says_what_is_lost(
    make_handler: MakeHandler, proxy: Proxy, directory: Path
) -> None:
    proxy.refuse()
    handler = make_handler()
    directory.rmdir()
    directory.write_text("in the way")
    hand_over(handler, [record(number) for number in range(100)])
    assert close(handler) is False
    assert dropped(handler) == {"closed": 100}


def test_a_damaged_file_is_put_aside_and_told(
    make_handler: MakeHandler,
    proxy: Proxy,
    receiver: Receiver,
    directory: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    proxy.refuse()
    first = make_handler()
    hand_over(first, [record(1)])
    assert close(first) is True
    (file,) = directory.iterdir()
    file.write_bytes(b"written over")
    proxy.forward()
    second = make_handler()
    hand_over(second, [record(2)])
    wait_until_told(second, caplog, file.name)
    assert numbers(receiver.wait_for_records(1)) == [2]
    assert close(second) is True
    (kept,) = directory.iterdir()
    assert kept.name == f"{file.name}.damaged"
    assert kept.read_bytes() == b"written over"


def test_a_page_of_zeros_loses_what_was_in_it_and_nothing_else(
    make_handler: MakeHandler,
    proxy: Proxy,
    receiver: Receiver,
    directory: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    count = 3000
    proxy.refuse()
    first = make_handler()
    hand_over(first, [record(number) for number in range(count)])
    assert close(first) is True
    (file,) = directory.iterdir()
    pages = bytearray(file.read_bytes())
    pages[8 * 4096 : 9 * 4096] = bytes(4096)
    file.write_bytes(pages)
    proxy.forward()
    second = make_handler()
    hand_over(second, [record(count)])
    wait_until_told(second, caplog, "cannot be read; the others are sent")
    lost = dropped(second)["spool"]
    assert 0 < lost < count / 4
    assert second.stats()["adopted"] == count
    records = receiver.wait_for_records(count + 1 - lost)
    assert len(set(numbers(records))) == count + 1 - lost
    assert flush(second)
    assert close(second) is True
    assert [kept.name for kept in directory.iterdir()] == [f"{file.name}.damaged"]
