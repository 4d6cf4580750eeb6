"""The system's clock is set while records are on their way: nothing waits for it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from programs import Program, expect
from proxy import Proxy
from receiver import Receiver

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")

# What a program sees of the clock, moved by as many seconds as a file says.
CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long offset(void) {
    char text[32] = {0};
    const char *path = getenv("CLOCK_OFFSET");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return 0;
    ssize_t size = read(file, text, sizeof text - 1);
    close(file);
    return size > 0 ? atol(text) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    static int (*original)(clockid_t, struct timespec *);
    if (!original) original = dlsym(RTLD_NEXT, "clock_gettime");
    int result = original(clock, time);
    if (result == 0 && clock == CLOCK_REALTIME) time->tv_sec += offset();
    return result;
}
"""
PROGRAM = """
    handler = handler_to(PORT, spool_directory=sys.argv[3] + ".spool")
    profiler = profiler_with(handler)

    @profiler.profile
    def own():
        time.sleep(0.01)

    def clock(seconds):
        before = time.time()
        with open(sys.argv[3], "w") as file:
            file.write(str(seconds))
        return time.time() - before

    own()
    assert handler.flush(20)
    assert clock(-86_400) < -80_000
    own()
    assert handler.flush(20)
    told("yesterday")
    own()
    assert clock(86_400 * 400) > 80_000
    wait_until(lambda: handler.stats()["state"] == "connecting")
    own()
    assert not handler.flush(1)
    assert 0.5 < handler.stats()["queue_age_s"] < 60, handler.stats()
    told("next year")
    assert handler.flush(20), handler.stats()
    assert clock(0) < -80_000
    own()
    assert handler.flush(20)
    assert handler.stats()["queue_age_s"] == 0
    """


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that moves the clock of programs that are started now."""
    source, library, offset = (tmp_path / name for name in ("clock.c", "clock.so", "offset"))
    source.write_text(CLOCK)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    monkeypatch.setenv("LD_PRELOAD", os.fspath(library))
    monkeypatch.setenv("CLOCK_OFFSET", os.fspath(offset))
    return offset


def test_jumps_back_and_forth(
    program: Callable[..., Program], received: Receiver, proxy: Proxy, clock: Path
) -> None:
    running = program(PROGRAM, str(clock), port=proxy.port)
    running.wait_for("yesterday")
    proxy.refuse()
    proxy.cut()
    running.go_on()
    running.wait_for("next year")
    proxy.forward()
    running.go_on()
    code, errors = running.end()
    assert code == 0, errors
    expect(received, {"own": 5})
    durations = [record["value"][1] for record in received.records if record["units"] == "mS"]
    assert all(10 <= duration < 10_000 for duration in durations), durations
