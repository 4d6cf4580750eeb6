"""One spool directory and many processes: forked with many files, in namespaces of their own."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from phanos._arguments import connection
from phanos._handlers.rabbitmq import AsyncImpProfHandler
from proxy import Proxy
from receiver import Receiver
from sample_records import record
from spool_processes import DEADLINE_S, Recording, SpoolProgram, by_worker, files, numbers
from spool_programs import MANY_HANDLERS
from spooling_program import hand_over

UNSHARE = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
ENOUGH = 200


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def heir(
    monkeypatch: pytest.MonkeyPatch, proxy: Proxy, directory: Path
) -> Iterator[AsyncImpProfHandler]:
    monkeypatch.setattr(connection, "SPOOL_ADOPT_S", 0.1)
    handler = AsyncImpProfHandler("heir", port=proxy.port, spool_directory=str(directory))
    yield handler
    handler.publisher._delivery.stop().wait(DEADLINE_S)


def test_a_child_of_a_process_with_many_files_keeps_none_of_them(
    proxy: Proxy, receiver: Receiver, directory: Path, heir: AsyncImpProfHandler
) -> None:
    proxy.refuse()
    with SpoolProgram("forks_with_many_files", proxy.port, directory) as program:
        assert program.line() == "forked"
        assert len(files(directory)) == MANY_HANDLERS
        # The child lives on until its standard input ends, hence after this.
        program.kill()
        proxy.forward()
        hand_over(heir, [record(0)])
        records = receiver.wait_for_records(MANY_HANDLERS + 1, DEADLINE_S)
    assert sorted(numbers(records)) == list(range(MANY_HANDLERS + 1))


def can_unshare() -> bool:
    return (
        shutil.which("unshare") is not None
        and subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode == 0
    )


@pytest.mark.skipif(not can_unshare(), reason="this system gives nobody a pid namespace")
def test_processes_with_the_same_id_share_a_directory(
    proxy: Proxy, receiver: Receiver, directory: Path, heir: AsyncImpProfHandler
) -> None:
    proxy.refuse()
    with (
        Recording(proxy.port, directory, under=UNSHARE) as one,
        Recording(proxy.port, directory, under=UNSHARE) as other,
    ):
        for recording in (one, other):
            recording.wait_for(ENOUGH)
        assert len(files(directory)) == 2
        hand_over(heir, [record(0)])
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
    workers = by_worker(receiver.messages)
    assert len(workers) == 3
    assert sum(worker.startswith("1-") for worker in workers) == 2
    assert sum(map(len, workers.values())) == len(receiver.records), "each once"
