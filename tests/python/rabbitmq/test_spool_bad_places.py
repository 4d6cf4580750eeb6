"""Spool directories and disks that will not do, or do no longer: told, counted, and no harm."""

from __future__ import annotations

import os
import re
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from phanos._handlers.rabbitmq import AsyncImpProfHandler
from phanos.publisher import ImpProfHandler
from proxy import Proxy
from receiver import Receiver
from sample_records import record
from spool_processes import DEADLINE_S, SpoolProgram, files, numbers
from spooling_program import hand_over

DROPPED = re.compile(r"(\d+) records dropped")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "spool"


def handler(proxy: Proxy, directory: object, **arguments: Any) -> AsyncImpProfHandler:
    return AsyncImpProfHandler(
        "spooling", port=proxy.port, spool_directory=str(directory), **arguments
    )


def test_an_impossible_directory_is_an_error_of_the_constructor(
    proxy: Proxy, directory: Path
) -> None:
    directory.write_text("in the way")
    for path in (directory, directory / "below", "/proc/self/none"):
        for kind in (AsyncImpProfHandler, ImpProfHandler):
            with pytest.raises(ValueError, match="spool_directory will not do: ") as raised:
                kind("spooling", port=proxy.port, spool_directory=str(path))
            assert str(path) in str(raised.value)
    assert directory.read_text() == "in the way"


def test_a_file_system_without_locks_is_an_error_of_the_constructor(
    proxy: Proxy, directory: Path
) -> None:
    with SpoolProgram("has_no_locks", proxy.port, directory) as program:
        assert "its file system locks no files: No locks available" in program.line()


def test_locks_that_go_away_are_told_and_memory_does(
    proxy: Proxy, receiver: Receiver, directory: Path
) -> None:
    proxy.refuse()
    with SpoolProgram("loses_its_locks", proxy.port, directory) as program:
        assert "No locks available" in program.line()
        proxy.forward()
        program.go_on()
        records = receiver.wait_for_records(100, DEADLINE_S)
        program.end()
    assert numbers(records) == list(range(100))


def test_a_directory_that_others_write_to_is_told(
    proxy: Proxy, directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory.mkdir()
    directory.chmod(0o777)
    handler(proxy, directory, spool_bytes=1)
    assert "others can remove records, its mode is 777" in caplog.text


def test_too_little_room_is_told(
    proxy: Proxy, directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    handler(proxy, directory, spool_bytes=2**62)
    assert "bytes are free, spool_bytes is" in caplog.text


def test_a_removed_directory_is_made_again_with_what_was_in_it(
    proxy: Proxy, receiver: Receiver, directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    proxy.refuse()
    first = handler(proxy, directory)
    hand_over(first, [record(number) for number in range(6000)])
    wait_until_spooled(first, 6000)
    shutil.rmtree(directory)
    hand_over(first, [record(6000)])
    wait_until_spooled(first, 6001)
    assert first.publisher._delivery.stop().wait(DEADLINE_S) is True
    assert len(files(directory)) == 1
    first._write_log_lines()
    assert "was removed while in use; it was made again" in caplog.text
    proxy.forward()
    second = handler(proxy, directory)
    hand_over(second, [record(6001)])
    records = receiver.wait_for_records(6002, DEADLINE_S)
    assert sorted(numbers(records)) == list(range(6002))
    second.publisher._delivery.stop().wait(DEADLINE_S)


def wait_until_spooled(handler: AsyncImpProfHandler, count: int) -> None:
    end = time.monotonic() + DEADLINE_S
    while handler.stats()["spooled"] != count:
        assert time.monotonic() < end, handler.stats()
        time.sleep(0.005)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file of another user")
def test_a_file_of_another_user_is_told_and_not_sent(
    proxy: Proxy, receiver: Receiver, directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    proxy.refuse()
    first = handler(proxy, directory)
    hand_over(first, [record(1)])
    assert first.publisher._delivery.stop().wait(DEADLINE_S) is True
    (file,) = files(directory)
    os.chown(file, 12345, -1)
    proxy.forward()
    second = handler(proxy, directory)
    hand_over(second, [record(2)])
    receiver.wait_for_records(1, DEADLINE_S)
    assert second.publisher._delivery.stop().wait(DEADLINE_S) is True
    second._write_log_lines()
    assert "it belongs to user 12345" in caplog.text
    assert numbers(receiver.records) == [2]
    assert file.exists()


def test_a_disk_that_is_full_at_the_end_keeps_what_is_on_it(
    proxy: Proxy, receiver: Receiver, directory: Path
) -> None:
    proxy.refuse()
    with SpoolProgram("ends_with_a_full_disk", proxy.port, directory) as program:
        before = program.line()
        program.go_on()
        after = program.line()
        program.go_on()
        log = program.end()
    assert (before["spooled"], before["queued"]) == (100, 150)
    assert after["stopped"] is False
    assert (after["spooled"], after["queued"], after["dropped"]["closed"]) == (100, 0, 50)
    assert after["handed_over"] == after["dropped"]["closed"] + after["left"]
    assert [int(count) for count in DROPPED.findall(log)] == [50], log
    proxy.forward()
    second = handler(proxy, directory)
    hand_over(second, [record(150)])
    records = receiver.wait_for_records(101, DEADLINE_S)
    assert sorted(numbers(records)) == [*range(100), 150]
    second.publisher._delivery.stop().wait(DEADLINE_S)


def test_a_disk_that_hangs_is_told_and_what_it_costs_is_counted(
    proxy: Proxy, directory: Path
) -> None:
    proxy.refuse()
    with SpoolProgram("has_a_disk_that_hangs", proxy.port, directory) as program:
        assert "does not answer" in program.line()
        program.go_on()
        log = program.end()
    assert sum(int(count) for count in DROPPED.findall(log)) == 100, log
