"""Processes without a standard output, such as daemons: records go nowhere, and nothing fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import logging, os, sys
import phanos

assert sys.stdout is None
profiler = phanos.profiler
profiler.config(job="JOB")
profiler.add_handler(phanos.handlers.StreamHandler("stream"))
profiler.add_handler(phanos.handlers.LoggerHandler("logger", level=logging.CRITICAL))
profiler.add_handler(phanos.handlers.LoggerHandler("again", level=logging.CRITICAL))

@profiler.profile
def work():
    return 5

assert work() == 5
profiler.handlers["stream"].handle([{}], "ignored")
sys.stdout = open(sys.argv[1], "w")
assert work() == 5
profiler.handlers["stream"].output = None
assert work() == 5
sys.stdout.close()
sys.stdout = None
assert work() == 5
"""


@pytest.mark.parametrize("streams", [(1,), (0, 1)])
def test_handlers_are_silent_until_there_is_a_standard_output(
    tmp_path: Path, streams: tuple[int, ...]
) -> None:
    written = tmp_path / "stdout"

    def close_streams() -> None:
        for stream in streams:
            os.close(stream)

    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(written)],
        stderr=subprocess.PIPE,
        text=True,
        timeout=50,
        check=False,
        preexec_fn=close_streams,
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = written.read_text().splitlines()
    assert len(lines) == 2
    assert all("method: __main__:work" in line for line in lines)
