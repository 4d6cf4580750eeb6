"""Served by https: certificates, their replacement, and what is said without them."""

from __future__ import annotations

import signal
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path

import pytest
from collecting import Collector, LocalSender, free_port, record, wait_until

# Certificates, and a real Prometheus that checks them.
for folder in ("rabbitmq", "prometheus"):
    sys.path.append(str(Path(__file__).parents[1] / folder))

from certificates import Authority, Issued  # noqa: E402
from counting import Place  # noqa: E402
from scraping import MISSING, PROMETHEUS, prometheus  # noqa: E402

Start = Callable[..., Collector]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


def options(issued: Issued) -> tuple[str, ...]:
    return "--tls-cert-file", str(issued.certificate), "--tls-key-file", str(issued.key)


def served_certificate(port: int) -> str:
    return ssl.get_server_certificate(("127.0.0.1", port), timeout=60)


def test_https_is_served_and_http_is_not(collector: Start, authority: Authority) -> None:
    running = collector(*options(authority.issue("own", "127.0.0.1")), trusted=authority.file)
    with LocalSender(running.socket) as sender:
        sender.send("time_profiler", [record("histogram", "mS", "A:root", ["observe", 1.5])])
        sender.flush()
    assert running.value("phanos_time_profiler_seconds_count") == 1
    # What comes is an alert of TLS, or nothing.
    with pytest.raises((OSError, HTTPException)):
        urllib.request.urlopen(f"http://127.0.0.1:{running.port}/metrics", timeout=60)


def test_a_token_is_asked_for_as_well(
    collector: Start, authority: Authority, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("secret")
    given = (*options(authority.issue("own", "127.0.0.1")), "--token-file", str(token))
    running = collector(*given, trusted=authority.file, token="secret")
    assert "phanos_collector_" in running.page()
    context = ssl.create_default_context(cafile=authority.file)
    url = f"https://127.0.0.1:{running.port}/metrics"
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(url, timeout=60, context=context)


def test_who_says_nothing_holds_up_nobody(collector: Start, authority: Authority) -> None:
    running = collector(*options(authority.issue("own", "127.0.0.1")), trusted=authority.file)
    with socket.create_connection(("127.0.0.1", running.port)):
        assert "phanos_collector_" in running.page()


def test_certificates_are_read_again(collector: Start, authority: Authority) -> None:
    issued = authority.issue("own", "127.0.0.1")
    running = collector(*options(issued), trusted=authority.file)
    first = served_certificate(running.port)
    # A new certificate of the same name, in the same files.
    authority.issue("own", "127.0.0.1")
    assert served_certificate(running.port) == first
    running.signal(signal.SIGHUP)
    wait_until(lambda: served_certificate(running.port) != first, running.log)
    second = served_certificate(running.port)
    issued.key.write_text("none")
    running.signal(signal.SIGHUP)
    wait_until(lambda: "warning: the configuration stays as it was" in running.log(), running.log)
    assert f"tls-key-file {issued.key}: no private key" in running.log()
    assert served_certificate(running.port) == second


def test_check_reads_the_files(command: Path, authority: Authority, tmp_path: Path) -> None:
    def check(certificate: Path, key: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                *(str(command), "collect", "--listen-socket", "s", "--check"),
                *("--tls-cert-file", str(certificate), "--tls-key-file", str(key)),
            ],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    own, other = authority.issue("own", "127.0.0.1"), authority.issue("other", "127.0.0.1")
    said = check(own.certificate, own.key)
    assert (said.returncode, said.stderr) == (0, "")
    assert "https://127.0.0.1:9464/metrics" in said.stdout
    empty = tmp_path / "empty"
    empty.touch()
    for certificate, key, told in [
        (empty, own.key, f"tls-cert-file {empty}: no certificate in it"),
        (own.certificate, empty, f"tls-key-file {empty}: no private key"),
        (own.certificate, other.key, f"and tls-key-file {other.key}: "),
    ]:
        said = check(certificate, key)
        assert (said.returncode, said.stdout) == (2, "")
        assert told in said.stderr
        assert len(said.stderr.splitlines()) == 1


@pytest.mark.parametrize("has_token", [False, True])
@pytest.mark.parametrize("has_tls", [False, True])
def test_who_is_reached_from_elsewhere_is_told_what_can_be_read(
    command: Path, authority: Authority, tmp_path: Path, has_token: bool, has_tls: bool
) -> None:
    token = tmp_path / "token"
    token.write_text("secret")
    given = [
        *("--listen", f"0.0.0.0:{free_port()}", "--listen-socket", str(tmp_path / "socket")),
        *(("--token-file", str(token)) if has_token else ()),
        *(options(authority.issue("own", "127.0.0.1")) if has_tls else ()),
    ]
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen([str(command), "collect", *given], stderr=output)
    wait_until(lambda: "/metrics" in log.read_text(), log.read_text)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    said = log.read_text()
    assert ("can be read by" in said) == (not (has_token and has_tls)), said
    assert ("--token-file" in said) == (not has_token), said
    assert ("--tls-cert-file" in said) == (not has_tls), said


@pytest.mark.prometheus
@pytest.mark.skipif(not PROMETHEUS.exists(), reason=MISSING)
def test_prometheus_scrapes_by_https(
    collector: Start, authority: Authority, tmp_path: Path
) -> None:
    running = collector(*options(authority.issue("own", "127.0.0.1")), trusted=authority.file)
    with LocalSender(running.socket) as sender:
        sender.send("time_profiler", [record("histogram", "mS", "A:root", ["observe", 1.5])] * 7)
        sender.flush()
    place = Place(running.port, tmp_path / "run")
    tls = ("scheme: https", f"tls_config: {{ca_file: {authority.file}}}")
    with prometheus(place, options=tls) as server:
        server.wait_for("sum(phanos_time_profiler_seconds_count)", 7)
