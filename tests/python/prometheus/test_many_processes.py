"""Processes that share a port: they count together, and any of them may end or be killed."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from collecting import wait_until
from counting import (
    Place,
    Recorder,
    open_files,
    sockets_with_names,
    sum_of,
    thread_states,
)

Start = Callable[..., Recorder]
KILLS = 12


def check(place: Place, recorded: list[dict[str, int]]) -> None:
    """Compare every series with what was recorded."""
    expected = sum_of(recorded)
    assert place.calls() == expected
    # None of them failed yet when it counted.
    items = ({f"{key.partition(':')[0]}:false": 2 * count} for key, count in expected.items())
    assert place.items() == sum_of(items)


def sender_count(place: Place) -> float:
    return place.samples()["phanos_collector_local_connections", ()]


def test_all_processes_are_counted_together(place: Place, recorder: Start) -> None:
    processes = [recorder() for _ in range(4)]
    for process in processes:
        process.ask("record", 500)
    for process in processes:
        assert process.ask("flush")
    check(place, [process.ask("counts") for process in processes])
    assert place.leader() in [process.pid for process in processes]


@pytest.mark.parametrize("how", ["close", "end", "kill"])
def test_another_takes_over(place: Place, recorder: Start, how: str) -> None:
    first = recorder()
    place.wait_until_served()
    second = recorder()
    recorded = []
    for process in (first, second):
        process.ask("record", 300)
        assert process.ask("flush")
        recorded.append(process.ask("counts"))
    assert place.leader() == first.pid
    begin = time.monotonic()
    if how == "close":
        assert first.ask("close")
    elif how == "end":
        assert first.end() == 0
    else:
        first.kill()
    assert place.wait_for_leader(but=first.pid) == second.pid
    place.wait_until_served()
    assert time.monotonic() - begin < 10
    check(place, recorded)
    second.ask("record", 300)
    assert second.ask("flush")
    check(place, [recorded[0], second.ask("counts")])
    levels = {level for level, _ in second.ask("logged")}
    assert levels <= {"INFO"}, second.ask("logged")


def test_what_a_program_records_last_is_counted_at_its_end(place: Place, recorder: Start) -> None:
    stays = recorder()
    recorded = [stays.ask("counts")]
    for _ in range(5):
        process = recorder()
        process.ask("record", 200)
        recorded.append(process.ask("counts"))
        assert process.end() == 0
    check(place, recorded)


def test_a_leader_that_ends_leaves_everything_counted(place: Place, recorder: Start) -> None:
    leading = recorder()
    place.wait_until_served()
    other = recorder()
    for process in (leading, other):
        process.ask("load")
    recorded = [leading.ask("counts")]
    assert leading.end() == 0
    recorded.append(other.ask("counts"))
    assert other.ask("flush")
    check(place, recorded)


def test_a_new_run_begins_at_zero(place: Place, recorder: Start) -> None:
    for _ in range(2):
        processes = [recorder() for _ in range(2)]
        for process in processes:
            process.ask("record", 100)
            assert process.ask("flush")
        assert place.calls().total() == 200
        for process in processes:
            process.kill()
        assert not place.is_served()


def test_leaders_killed_at_random_under_load_cost_no_count(place: Place, recorder: Start) -> None:
    """Of the one that is killed, all that it recorded was confirmed; the others go on meanwhile."""
    chance = random.Random(5)
    processes = {process.pid: process for process in (recorder() for _ in range(3))}
    for process in processes.values():
        process.ask("load")
    recorded = []
    last = None
    for _ in range(KILLS):
        leader = place.wait_for_leader(but=last)
        # Somewhere between two commits of the store, which come once a second.
        moment = chance.random()
        before = place.calls().total() if place.is_served() else 0
        threading.Event().wait(moment)
        leading = processes.pop(leader)
        recorded.append(leading.ask("counts"))
        assert leading.ask("flush")
        leading.kill()
        last = leader
        fresh = recorder()
        fresh.ask("load")
        processes[fresh.pid] = fresh
        place.wait_for_leader(but=last)
        place.wait_until_served()
        assert place.calls().total() >= before
    recorded += [process.ask("counts") for process in processes.values()]
    for process in processes.values():
        assert process.ask("flush"), process.ask("stats")
    check(place, recorded)


def test_a_forked_child_keeps_nothing_of_its_parents(place: Place, recorder: Start) -> None:
    leading = recorder()
    place.wait_until_served()
    other = recorder()
    wait_until(lambda: other.ask("stats")["state"] == "connected", "not connected")
    children = [process.ask("fork", 0) for process in (leading, other)]
    try:
        known = sockets_with_names()
        for child in children:
            files = open_files(child)
            folder = str(place.runtime)
            assert not [file for file in files if file.startswith(folder)], files
            assert not known.intersection(files)
        assert known.intersection(open_files(leading.pid)), "the leader has some"
        sender = recorder()
        wait_until(lambda: sender_count(place) == 3, "not connected")
        children.append(sender.ask("fork", 0))
        sender.kill()
        wait_until(lambda: sender_count(place) == 2, "the child keeps the connection")
        leading.kill()
        assert place.wait_for_leader(but=leading.pid) == other.pid
        place.wait_until_served()
        other.ask("record", 100)
        assert other.ask("flush")
        check(place, [other.ask("counts")])
        assert all(Path(f"/proc/{child}").exists() for child in children)
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)


def test_forked_children_count_and_take_over(place: Place, recorder: Start) -> None:
    parent = recorder()
    place.wait_until_served()
    children = [parent.ask("fork", 210) for _ in range(3)]
    try:
        assert place.calls().total() == 630
        parent.kill()
        leader = place.wait_for_leader(but=parent.pid)
        assert leader in children
        place.wait_until_served()
        assert place.calls().total() == 630
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)


def test_a_parent_goes_on_while_its_children_are_killed(place: Place, recorder: Start) -> None:
    parent = recorder()
    parent.ask("load")
    for _ in range(5):
        child = parent.ask("fork", 100)
        os.kill(child, signal.SIGKILL)
        parent.ask("reap", child)
    recorded = parent.ask("counts")
    assert parent.ask("flush")
    assert place.calls().total() == sum(recorded.values()) + 500


def test_a_process_that_stands_still_harms_nobody(place: Place, recorder: Start) -> None:
    """Stopped as by a debugger, the leader answers nobody: records wait until it goes on."""
    leading = recorder()
    place.wait_until_served()
    other = recorder()
    os.kill(leading.pid, signal.SIGSTOP)
    # One thread after the other learns of it.
    wait_until(lambda: thread_states(leading.pid) == {"T"}, "it goes on")
    other.ask("record", 100)
    assert not other.ask("flush", 1.0)
    assert other.ask("stats")["queued"] + other.ask("stats")["in_flight"] == 200
    os.kill(leading.pid, signal.SIGCONT)
    assert other.ask("flush")
    check(place, [other.ask("counts")])
