"""Hundreds of jobs in one process, over one connection."""

from __future__ import annotations

from collections import Counter
from typing import Any

from phanos.publisher import ImpProfHandler, Profiler
from proxy import Proxy
from receiver import Receiver
from support import wait_until

JOBS = 300
ROUNDS = 20


def test_each_record_bears_its_job(proxy: Proxy, receiver: Receiver, tmp_path: Any) -> None:
    handler = ImpProfHandler("rabbit", port=proxy.port, spool_directory=tmp_path / "spool")
    calls = []
    for number in range(JOBS):
        profiler = Profiler()
        profiler.config(job=f"JOB{number}", request_size_profile=False)
        profiler.add_handler(handler)
        calls.append(profiler.profile(lambda: None))
    for call in calls:
        call()
    assert handler.flush(20)
    assert handler.stats()["messages"] <= JOBS
    proxy.refuse()
    proxy.cut()
    wait_until(lambda: handler.stats()["state"] == "connecting", "the cut is noticed")
    for _ in range(ROUNDS):
        for call in calls:
            call()
        # Longer than records wait for others: each round leaves the buffer by itself.
        wait_until(lambda: handler.stats()["queue_age_s"] > 0, "they wait")
    proxy.forward()
    assert handler.flush(30), handler.stats()
    stats = handler.stats()
    assert stats["confirmed"] == JOBS * (1 + ROUNDS)
    # In the outage the records of each job went into one message.
    assert stats["messages"] < JOBS * 5, stats
    records = receiver.wait_for_records(JOBS * (1 + ROUNDS))
    counts = Counter(record["job"] for record in records)
    assert counts == {f"JOB{number}": 1 + ROUNDS for number in range(JOBS)}
    keys = {message.routing_key for message in receiver.messages}
    assert keys == set(counts)
    handler.close()
