"""What docs/rabbitmq.md shows works as shown, with another broker."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from certificates import Authority
from pages import programs
from receiver import Receiver
from support import output_of

from tools.rabbitmq import Node
from tools.rabbitmq.ports import HOST

CALL = """
@phanos.profile
def checkout():
    return None


checkout()
assert phanos.profiler.flush(timeout_s=20)
"""


def test_the_dict_configures(
    tls_broker: Node, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = programs("docs/rabbitmq.md")[0].text
    for shown, here in [
        ('"host": "rabbitmq.example"', f'"host": "{HOST}", "port": {tls_broker.tls_port}'),
        ('"user": "profiling"', '"user": "guest"'),
        ("/etc/ssl/rabbitmq.pem", str(authority.file)),
        ("/var/spool/shop", str(tmp_path / "spool")),
    ]:
        assert program.count(shown) == 1
        program = program.replace(shown, here)
    monkeypatch.setenv("RABBITMQ_PASSWORD", "guest")
    context = ssl.create_default_context(cafile=str(authority.file))
    with Receiver(tls_broker.tls_port, tls=context) as receiver:
        output_of(program + CALL)
        receiver.wait_for_messages(1)
