"""
Programs with a spool in a bad place, each to be run in a process of its own.

Run with the name of a function below, the port and the directory. Each prints what its test waits
for, and goes on at a line of its standard input.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import resource
import select
import socket
import sys
import time
from collections.abc import Callable

import seccomp
from phanos._arguments import connection
from phanos._handlers.rabbitmq import AsyncImpProfHandler
from sample_records import record
from spooling_program import hand_over

DEADLINE_S = 60.0
PAUSE_S = 0.002
FEW_DESCRIPTORS = 60
OWN_DESCRIPTORS = 20
MANY_HANDLERS = 70
LEFT = 20
KEPT: list[AsyncImpProfHandler] = []
"""Handlers, which live until their process ends."""


def handler(port: int, directory: str) -> AsyncImpProfHandler:
    # Made directly it does not connect: the broker may be down.
    KEPT.append(AsyncImpProfHandler("spooling", port=port, spool_directory=directory))
    return KEPT[-1]


def wait_until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, "not in time"
        time.sleep(PAUSE_S)


def told(what: object) -> None:
    """Say that a point is reached; go on when the test says so."""
    print(json.dumps(what), flush=True)
    sys.stdin.readline()


def opens_files_of_its_own(port: int, directory: str) -> None:
    """Open files and sockets all the time, with few descriptors, beside many leftover files."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (FEW_DESCRIPTORS, FEW_DESCRIPTORS))
    one = handler(port, directory)
    hand_over(one, [record(0)])
    refused = 0
    print(json.dumps("started"), flush=True)
    end = time.monotonic() + DEADLINE_S
    while not select.select([sys.stdin], [], [], 0)[0] and time.monotonic() < end:
        opened: list[socket.socket | int] = []
        try:
            for _ in range(OWN_DESCRIPTORS // 2):
                opened += [socket.socket(), os.open(os.devnull, os.O_RDONLY)]
        except OSError:
            refused += 1
        for one_of_them in opened:
            one_of_them.close() if isinstance(one_of_them, socket.socket) else os.close(one_of_them)
        time.sleep(PAUSE_S)
    print(json.dumps({"refused": refused, **one.stats()}), flush=True)


def runs_out_of_descriptors(port: int, directory: str) -> None:
    one = handler(port, directory)
    hand_over(one, [record(0)])
    wait_until(lambda: one.stats()["spooled"] == 1)
    resource.setrlimit(resource.RLIMIT_NOFILE, (FEW_DESCRIPTORS, FEW_DESCRIPTORS))
    taken = []
    try:
        while True:
            taken.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        told("no descriptor is left")
    lines: list[str] = []

    def is_told() -> bool:
        lines.extend(text for _, text in one.publisher._delivery.take_log_lines())
        return any("spool" in line and "Too many open files" in line for line in lines)

    wait_until(is_told)
    for descriptor in taken:
        os.close(descriptor)
    told("told, and there are descriptors again")
    wait_until(lambda: one.stats()["confirmed"] == 1 + LEFT)


def ends_after_one_record(port: int, directory: str) -> None:
    one = handler(port, directory)
    hand_over(one, [record(0)])


def has_a_disk_that_hangs(port: int, directory: str) -> None:
    one = handler(port, directory)
    seccomp.hang("pwrite64")
    hand_over(one, [record(number) for number in range(100)])
    wait_until(lambda: "does not answer" in (one.stats()["last_error"] or ""))
    told(one.stats()["last_error"])


def ends_with_a_full_disk(port: int, directory: str) -> None:
    """Half of a message is on disk, for the other half there is no room."""
    one = handler(port, directory)
    hand_over(one, [record(number) for number in range(100)])
    wait_until(lambda: one.stats()["spooled"] == 100)
    (size,) = (entry.stat().st_size for entry in os.scandir(directory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    hand_over(one, [record(number) for number in range(100, 150)])
    wait_until(lambda: "spool" in (one.stats()["last_error"] or ""))
    told(one.stats())
    stopped = one.publisher._delivery.stop().wait(DEADLINE_S)
    told({"stopped": stopped, **one.stats()})


def has_no_locks(port: int, directory: str) -> None:
    seccomp.fail("flock", errno.ENOLCK)
    try:
        handler(port, directory)
    except ValueError as error:
        told(str(error))


def loses_its_locks(port: int, directory: str) -> None:
    """As a file system mounted anew without them: memory has to do."""
    one = handler(port, directory)
    seccomp.fail("flock", errno.ENOLCK)
    hand_over(one, [record(number) for number in range(100)])
    wait_until(lambda: "spool" in (one.stats()["last_error"] or ""))
    told(one.stats()["last_error"])
    wait_until(lambda: one.stats()["confirmed"] == 100)


def forks_with_many_files(port: int, directory: str) -> None:
    handlers = [handler(port, directory) for _ in range(MANY_HANDLERS)]
    for number, one in enumerate(handlers, start=1):
        hand_over(one, [record(number)])
    wait_until(lambda: all(one.stats()["spooled"] == 1 for one in handlers))
    if os.fork() == 0:
        sys.stdin.read()
        os._exit(0)
    told("forked")


if __name__ == "__main__":
    logging.basicConfig()
    connection.SPOOL_ADOPT_S = 0.1
    globals()[sys.argv[1]](int(sys.argv[2]), sys.argv[3])
