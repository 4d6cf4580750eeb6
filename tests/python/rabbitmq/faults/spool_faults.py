"""Spools: many of them, damaged ones, and a directory that is removed."""

from __future__ import annotations

import logging
import shutil
from functools import partial
from pathlib import Path

from phanos._handlers.rabbitmq import AsyncImpProfHandler
from sample_records import record
from spooling_program import hand_over

from faults.outcome import Outcome
from faults.scenario import scenario
from faults.scene import Scene

FILES = 400
"""In tests; three times as many in the table."""
FEW_DESCRIPTORS = ("sh", "-c", 'ulimit -n 64 && exec "$@"', "sh")
OWN_DESCRIPTORS = 10
PAGE_BYTES = 4096
STATE_S = 20.0
DEADLINE_S = 20.0
DAMAGED = "killed in an outage, a page of its spool zeroed, adopted"
MADE_AGAIN = "was removed while in use; it was made again"
SILENT = logging.Logger("leaving", logging.CRITICAL + 1)


def files(scene: Scene) -> list[Path]:
    return sorted(scene.directory.glob("*.phanos-spool"))


def broker_is_away_from_many(scene: Scene) -> None:
    """Leave files as so many processes, with a record each; let workers have few descriptors."""
    scene.broker_is_away()
    count = round(FILES * scene.patience)
    for number in range(count):
        handler = AsyncImpProfHandler("leaving", logger=SILENT, **scene.arguments)
        hand_over(handler, [record(number)])
        assert handler.publisher._delivery.stop().wait(DEADLINE_S) is True
    assert len(files(scene)) == count
    scene.left(count)
    scene.under = FEW_DESCRIPTORS


@scenario(
    "1,200 left spool files, 64 descriptors, broker away, then back",
    before=broker_is_away_from_many,
    spool=True,
)
def many_files(scene: Scene) -> None:
    scene.record(2.0)
    assert scene.worker.ask("open_files", OWN_DESCRIPTORS)
    assert len(files(scene)) >= round(FILES * scene.patience), "all wait for the broker"
    scene.proxy.forward()

    def are_few() -> bool:
        assert scene.worker.ask("open_files", OWN_DESCRIPTORS), "descriptors are exhausted"
        return len(files(scene)) < OWN_DESCRIPTORS

    scene.wait_until(are_few, "done with the files")
    scene.record()


@scenario(
    "killed in an outage, adopted, broker back before its consumers",
    before=Scene.broker_is_away,
    consumer=False,
    spool=True,
)
def adopted_before_consumers(scene: Scene) -> None:
    scene.record(2.0)
    scene.kill_with_everything_on_disk()
    scene.another_worker()
    scene.proxy.forward()
    scene.worker.wait_for_stats("returned", 1, STATE_S)
    scene.record()
    assert scene.worker.ask("flush", DEADLINE_S) == [False, False]
    scene.consumer_comes()
    scene.record()


@scenario(DAMAGED, before=Scene.broker_is_away, spool=True, drops="spool")
def damaged_file(scene: Scene) -> Outcome:
    scene.record(2.0)
    scene.kill_with_everything_on_disk()
    damaged = max(files(scene), key=lambda file: file.stat().st_size)
    with damaged.open("r+b") as file:
        file.seek(damaged.stat().st_size // 2 // PAGE_BYTES * PAGE_BYTES)
        file.write(bytes(PAGE_BYTES))
    scene.another_worker()
    scene.record()
    scene.proxy.forward()
    scene.record()
    outcome = scene.settle(DAMAGED)
    assert outcome.received > outcome.recorded / 2
    assert damaged.with_name(damaged.name + ".damaged").exists()
    assert scene.logged("it is damaged") == 1
    return outcome


@scenario(
    "spool directory removed in an outage, killed, adopted",
    before=Scene.broker_is_away,
    spool=True,
)
def removed_directory(scene: Scene) -> None:
    scene.record()
    scene.wait_until(lambda: len(files(scene)) == 2, "files of both handlers")
    scene.worker.wait_for_stats("spooled", 1000, STATE_S)
    shutil.rmtree(scene.directory)
    for line in (f"thread handler - .*{MADE_AGAIN}", f"loop handler - .*{MADE_AGAIN}"):
        scene.wait_until(partial(scene.logged, line), line)
    scene.record()
    scene.kill_with_everything_on_disk()
    scene.another_worker()
    scene.proxy.forward()
    scene.record()
