"""The command `phanos collect`: settings, signals, its end."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from collecting import Collector, LocalSender, record, wait_until


def answer(command: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        [str(command), "collect", *options],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_settings_come_from_arguments_environment_and_file(command: Path, tmp_path: Path) -> None:
    file = tmp_path / "phanos.toml"
    file.write_text(
        'listen = "127.0.0.1:1"\nqueue = "from-file"\nmax-series = 7\nzero-first = "1m"\n'
        'queue-max-bytes = 2048\n[[metric]]\nname = "time_profiler"\nbuckets = [0.1, 1]\n'
    )
    said = answer(
        command,
        "--check",
        *("--config", str(file)),
        *("--amqp-url", "amqp://user:secret@broker:5673/vhost"),
        *("--queue", "from-argument"),
        PHANOS_QUEUE="from-environment",
        PHANOS_MAX_SERIES="8",
    )
    assert (said.returncode, said.stderr) == (0, "")
    lines = dict(line.split(maxsplit=1) for line in said.stdout.splitlines())
    assert lines["broker"] == 'amqp://user@broker:5673, virtual host "vhost"'
    assert lines["queue"].startswith("from-argument (classic), expires after 1d, at most 2KiB")
    assert lines["max-series"].startswith("8 ")
    assert lines["zero-first"] == "1m"
    assert lines["listen"] == "http://127.0.0.1:1/metrics"
    assert lines["metric"] == "time_profiler: buckets [0.1, 1.0]"
    assert "secret" not in said.stdout


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "nothing to collect: give --amqp-url, --listen-socket or both"),
        (["--zero-first", "soon"], '"soon" is no time such as 500ms'),
        (["--listen", "here"], "invalid value 'here' for '--listen"),
        (["--amqp-url", "http://user:secret@x"], "amqp-url is of another form than amqp://"),
        (["--amqp-url", "amqp://x", "--queue-type", "stream"], "neither classic nor quorum"),
        (
            ["--listen-socket", "s", "--gauge-policy", "mean"],
            "none of last, sum, max, min and live",
        ),
        (["--listen-socket", "s", "--job-label", "le"], '"le" is no name of a label that is free'),
        (["--listen-socket", "s", "--token-file", "/nowhere"], "token-file /nowhere: No such file"),
        (
            ["--listen-socket", "s", "--tls-key-file", "k"],
            "tls-cert-file and tls-key-file are given together or not at all",
        ),
        (
            ["--listen-socket", "s", "--tls-cert-file", "/nowhere", "--tls-key-file", "/nowhere"],
            "tls-cert-file /nowhere: No such file",
        ),
        (["--listen-socket", "s", "--config", "/nowhere"], "/nowhere: No such file"),
        (["--unheard"], "unexpected argument '--unheard'"),
    ],
)
def test_a_wrong_setting_is_one_clear_line(command: Path, options: list[str], told: str) -> None:
    said = answer(command, *options)
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr.startswith("phanos collect: error: ")
    assert told in said.stderr
    assert len(said.stderr.splitlines()) == 1
    assert "secret" not in said.stderr


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("queues = 1", "unknown field `queues`"),
        ("max-series = -1", "invalid value: integer `-1`"),
        ('zero-first = "x"', '"x" is no time such as'),
        ("[[metric]]\nname = 'a'\nbuckets = [2, 1]", "buckets [2.0, 1.0] are no numbers that rise"),
        ("x", "TOML parse error at line 1"),
    ],
)
def test_a_wrong_file_is_one_clear_line(
    command: Path, tmp_path: Path, text: str, told: str
) -> None:
    file = tmp_path / "phanos.toml"
    file.write_text(text)
    said = answer(command, "--listen-socket", "s", "--config", str(file))
    assert said.returncode == 2
    assert told in said.stderr
    assert len(said.stderr.splitlines()) == 1


def test_every_option_is_in_the_help(command: Path) -> None:
    said = answer(command, "--help")
    assert said.returncode == 0
    for option in ("--amqp-url", "--listen", "--state", "--max-series", "PHANOS_ZERO_FIRST"):
        assert option in said.stdout


def test_what_is_taken_is_told(command: Path, collector: Callable[..., Collector]) -> None:
    running = collector()
    listen = f"127.0.0.1:{running.port}"
    said = answer(command, "--listen-socket", "/tmp/unused/socket", "--listen", listen)
    assert said.returncode == 1
    assert f"listen {listen}: Address already in use" in said.stderr


def test_sigterm_stores_what_was_counted_and_ends(
    collector: Callable[..., Collector], tmp_path: Path
) -> None:
    running = collector("--state", str(tmp_path / "state"))
    with LocalSender(running.socket) as sender:
        sender.send("c", [record("counter", "", "A:root", ["inc", 1.0])] * 50)
        running.wait_for("phanos_c_total", 50)
        begin = time.monotonic()
        running.signal(signal.SIGTERM)
        assert running.ended() == 0, running.log()
        # Five seconds are promised; what does not end takes for ever.
        assert time.monotonic() - begin < 15
    assert not running.socket.exists()
    running.start()
    assert running.value("phanos_c_total") == 50


def test_sighup_reads_the_file_again(collector: Callable[..., Collector], tmp_path: Path) -> None:
    file = tmp_path / "phanos.toml"
    file.write_text("max-series = 1")
    running = collector("--config", str(file))

    def count(method: str) -> None:
        # A worker of its own, whose first message this is.
        with LocalSender(running.socket, f"worker {time.monotonic_ns()}") as sender:
            sender.send("c", [record("counter", "", method, ["inc", 1.0])])
            sender.flush()

    count("A:a")
    count("A:b")
    assert running.value("phanos_c_total", item="(overflow)") == 1
    file.write_text("max-series = 2")
    running.signal(signal.SIGHUP)
    wait_until(lambda: "in force" in running.log(), running.log)
    count("A:b")
    assert running.value("phanos_c_total", method="A:b") == 1
    file.write_text("max-series = x")
    running.signal(signal.SIGHUP)
    wait_until(lambda: "stays as it was" in running.log(), running.log)
    count("A:b")
    assert running.value("phanos_c_total", method="A:b") == 2
