"""The example program delivers what it promises."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from oracle_runs import REPOSITORY
from receiver import Receiver

from tools.rabbitmq import Node

DEADLINE_S = 20.0


def test_rabbitmq_app(broker: Node, receiver: Receiver) -> None:
    finished = subprocess.run(
        [sys.executable, REPOSITORY / "examples" / "rabbitmq_app.py"],
        env={**os.environ, "RABBITMQ_HOST": broker.host, "RABBITMQ_PORT": str(broker.port)},
        capture_output=True,
        encoding="utf-8",
        timeout=DEADLINE_S,
        check=False,
    )
    assert (finished.returncode, finished.stderr) == (0, "")
    ground, delivered, confirmed = finished.stdout.splitlines()
    assert ground == f"ground {sum(sum(range(number)) for number in range(1000))}"
    assert delivered == "all delivered: True"
    counted = re.fullmatch(r"(\d+) records in (\d+) messages confirmed", confirmed)
    assert counted is not None
    assert int(counted[1]) == 1001

    records = receiver.wait_for_records(1001)
    assert [record["method"] for record in records] == ["__main__:mill.grind"] * 1000 + [
        "__main__:mill"
    ]
    assert {record["job"] for record in records} == {"mill"}
    assert len(receiver.messages) == int(counted[2])
