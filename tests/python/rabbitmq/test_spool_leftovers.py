"""Files that processes left behind in an outage, many of them: sent, without the program's harm."""

from __future__ import annotations

from pathlib import Path

import pytest
from phanos._handlers.rabbitmq import AsyncImpProfHandler
from proxy import Proxy
from receiver import Receiver
from sample_records import record
from spool_processes import DEADLINE_S, SpoolProgram, files, numbers
from spool_programs import LEFT
from spooling_program import hand_over


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "spool"


def leave(port: int, directory: Path, count: int) -> None:
    """Leave as many files as so many processes, with a record in each, numbered from 1."""
    for number in range(1, count + 1):
        handler = AsyncImpProfHandler("leaving", port=port, spool_directory=str(directory))
        hand_over(handler, [record(number)])
        assert handler.publisher._delivery.stop().wait(DEADLINE_S) is True
    assert len(files(directory)) == count


def test_a_program_with_few_descriptors_notices_nothing_and_everything_arrives(
    proxy: Proxy, receiver: Receiver, directory: Path
) -> None:
    count = 300
    proxy.refuse()
    leave(proxy.port, directory, count)
    with SpoolProgram("opens_files_of_its_own", proxy.port, directory) as program:
        assert program.line() == "started"
        program.wait_until(lambda: program.locked(directory) >= 8, "at work on files")
        assert program.locked(directory) <= 10
        proxy.forward()
        records = receiver.wait_for_records(count + 1, DEADLINE_S)
        # It keeps its own, which is empty, until it ends.
        program.wait_until(lambda: len(files(directory)) <= 1, "done with the others' files")
        program.go_on()
        stats = program.line()
    assert sorted(numbers(records)) == list(range(count + 1))
    assert stats["refused"] == 0
    assert stats["adopted"] == count
    assert not any(stats["dropped"].values())


def test_programs_that_end_after_their_own_record_send_what_others_left(
    proxy: Proxy, receiver: Receiver, directory: Path
) -> None:
    count = 60
    proxy.refuse()
    leave(proxy.port, directory, count)
    proxy.forward()
    programs = 0
    while left := len(files(directory)):
        with SpoolProgram("ends_after_one_record", proxy.port, directory) as program:
            program.end()
        programs += 1
        assert len(files(directory)) < left, f"program {programs} sent nothing of {left}"
    records = receiver.wait_for_records(count + programs, DEADLINE_S)
    assert set(numbers(records)) == set(range(count + 1))


def test_files_that_could_not_be_opened_are_tried_again(
    proxy: Proxy, receiver: Receiver, directory: Path
) -> None:
    proxy.refuse()
    with SpoolProgram("runs_out_of_descriptors", proxy.port, directory) as program:
        assert program.line() == "no descriptor is left"
        (own,) = files(directory)
        others = directory.with_name("others")
        leave(proxy.port, others, LEFT)
        for file in files(others):
            file.rename(directory / file.name)
        program.go_on()
        assert program.line() == "told, and there are descriptors again"
        proxy.forward()
        program.go_on()
        records = receiver.wait_for_records(1 + LEFT, DEADLINE_S)
        program.end()
    assert sorted(numbers(records)) == list(range(1 + LEFT))
    assert not own.exists()
