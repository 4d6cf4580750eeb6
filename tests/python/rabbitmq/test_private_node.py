"""A private node starts, breaks and comes back as its methods say."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pika
import pytest
from pika.adapters.blocking_connection import BlockingConnection
from pika.exceptions import AMQPConnectionError, ConnectionClosedByBroker
from support import SUBPROCESS_DEADLINE_S, wait_until

from tools.rabbitmq import CommandError, Node
from tools.rabbitmq.node import speaks_amqp

REPOSITORY = Path(__file__).resolve().parents[3]
# Starts a node, says which processes it takes, waits to be killed.
OWNER = """
import sys
from pathlib import Path
from tools.rabbitmq import Node
node = Node(Path(sys.argv[1]))
node.start()
print(node.port, flush=True)
sys.stdin.read()
"""


def connect(node: Node, user: str = "guest", vhost: str = "/") -> BlockingConnection:
    return pika.BlockingConnection(
        pika.ConnectionParameters(
            host=node.host,
            port=node.port,
            virtual_host=vhost,
            credentials=pika.PlainCredentials(user, user),
            socket_timeout=3,
        )
    )


def processes_of(folder: Path) -> Iterator[int]:
    """Yield the processes whose home this folder is: those of the node that was made in it."""
    mark = f"HOME={folder}".encode()
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark in environment.read_bytes().split(b"\0"):
                yield int(environment.parent.name)
        except OSError:
            continue


def test_comes_back_on_its_port(own_broker: Node, tmp_path: Path) -> None:
    port = own_broker.port
    own_broker.add_user("kept", "kept")
    for end in (own_broker.kill, own_broker.stop):
        with connect(own_broker, "kept") as connection:
            end()
            assert not own_broker.running
            with pytest.raises(AMQPConnectionError):
                connection.process_data_events(3)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((own_broker.host, port))
        own_broker.start()
    own_broker.restart()
    assert own_broker.port == port
    connect(own_broker, "kept").close()
    own_broker.close()
    assert not list(processes_of(tmp_path / "own-broker"))


def test_paused_and_resumed(own_broker: Node) -> None:
    own_broker.pause()
    assert own_broker.running
    assert not speaks_amqp(own_broker.port)
    own_broker.resume()
    wait_until(lambda: speaks_amqp(own_broker.port), "an answer after the pause", 20)
    own_broker.pause()
    own_broker.kill()
    assert not own_broker.running
    with pytest.raises(ValueError, match="does not run"):
        own_broker.pause()


def test_memory_alarm_blocks_publishers(own_broker: Node) -> None:
    with connect(own_broker) as connection:
        heard: list[str] = []
        connection.add_on_connection_blocked_callback(lambda *_: heard.append("blocked"))
        connection.add_on_connection_unblocked_callback(lambda *_: heard.append("unblocked"))
        own_broker.memory_alarm(True)
        # Only a connection that publishes is blocked.
        connection.channel().basic_publish("", "nowhere", b"")
        connection.process_data_events(10)
        assert heard == ["blocked"]
        own_broker.memory_alarm(False)
        connection.process_data_events(10)
        assert heard == ["blocked", "unblocked"]


def test_administration(own_broker: Node) -> None:
    own_broker.add_vhost("other")
    own_broker.add_user("someone", "someone", "other")
    with connect(own_broker, "someone", "other") as connection:
        (listed,) = own_broker.list_connections()
        assert (listed["user"], listed["vhost"], listed["state"]) == ("someone", "other", "running")
        assert listed["client_properties"]["capabilities"]["publisher_confirms"] is True
        own_broker.set_policy("short", "^short$", {"max-length": 1}, "other")
        channel = connection.channel()
        channel.queue_declare("short", durable=True)
        channel.confirm_delivery()
        for _ in range(3):
            channel.basic_publish("", "short", b"")
        assert channel.queue_declare("short", passive=True).method.message_count == 1
        own_broker.close_all_connections("by the test")
        with pytest.raises(ConnectionClosedByBroker, match="by the test"):
            connection.process_data_events(10)
    with pytest.raises(CommandError, match="does not exist"):
        own_broker.add_user("nobody", "nobody", "no-such-vhost")


def test_second_start_is_refused(broker: Node) -> None:
    with pytest.raises(ValueError, match="runs already"):
        broker.start()


def test_without_certificates_there_is_no_tls_port(broker: Node) -> None:
    with pytest.raises(ValueError, match="without certificates"):
        _ = broker.tls_port


@pytest.mark.parametrize("paused", [False, True])
def test_ends_with_a_killed_owner(tmp_path: Path, paused: bool) -> None:
    folder = tmp_path / "node"
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(folder)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert owner.stdout is not None
        assert int(owner.stdout.readline()) > 0
        processes = list(processes_of(folder))
        assert len(processes) >= 4, "two guardians, the node and its name server at least"
        if paused:
            for process in processes:
                if b"beam" in Path(f"/proc/{process}/cmdline").read_bytes():
                    os.kill(process, signal.SIGSTOP)
    finally:
        owner.kill()
        owner.communicate(timeout=SUBPROCESS_DEADLINE_S)
    wait_until(lambda: not list(processes_of(folder)), "the end of every process", 20)
