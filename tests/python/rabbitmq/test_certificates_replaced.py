"""Certificates that are replaced while a program runs, and those that expire meanwhile."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from certificates import Authority
from phanos.publisher import AsyncImpProfHandler, ImpProfHandler
from profiled_root import configured
from support import wait_until

from tools.rabbitmq import Certificates, Node


class Files:
    """The files of one party, which an administrator replaces."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.authority = folder / "ca.pem"
        self.certificate = folder / "cert.pem"
        self.key = folder / "key.pem"

    def replace(
        self, trusted: Authority, issuer: Authority, *hosts: str, lasts_s: float | None = None
    ) -> None:
        issued = issuer.issue(f"issued-{self.key.parent.name}", *hosts, lasts_s=lasts_s)
        shutil.copyfile(trusted.file, self.authority)
        shutil.copyfile(issued.certificate, self.certificate)
        shutil.copyfile(issued.key, self.key)

    def options(self) -> dict[str, Path]:
        return {"ca_file": self.authority, "cert_file": self.certificate, "key_file": self.key}


def test_an_authority_and_all_certificates_are_replaced(tmp_path: Path) -> None:
    old, new = Authority(tmp_path / "old"), Authority(tmp_path / "new")
    nodes, clients = Files(tmp_path / "node"), Files(tmp_path / "client")
    nodes.replace(old, old, "localhost", "127.0.0.1")
    clients.replace(old, old, "client.example")
    certificates = Certificates(nodes.authority, nodes.certificate, nodes.key, client_required=True)
    with Node(tmp_path / "broker", certificates) as node:
        handler = ImpProfHandler(
            "rabbit", host="127.0.0.1", port=node.tls_port, ssl_options=clients.options()
        )
        _, root = configured(handler)
        root()
        handler.flush(20)
        assert handler.stats()["state"] == "connected"
        nodes.replace(new, new, "localhost", "127.0.0.1")
        node.restart()
        root()
        wait_until(lambda: "UnknownIssuer" in str(handler.stats()["last_error"]), "it is refused")
        # In the middle of being replaced: what was read before is used, and both are told.
        clients.certificate.write_text("")
        said = "with the certificates as they were read before: cert_file"
        wait_until(lambda: said in str(handler.stats()["last_error"]), "the file is told")
        assert handler.stats()["queued"] == 1
        clients.replace(new, new, "client.example")
        wait_until(lambda: handler.stats()["state"] == "connected", "the new ones are read")
        handler.flush(20)
        assert handler.stats()["queued"] == 0
        handler.close()


def test_a_certificate_that_expires_is_noticed_when_it_is_shown_again(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    clients = Files(tmp_path / "client")
    with Node(tmp_path / "broker", authority.for_node(client_required=True)) as node:
        clients.replace(authority, authority, "client.example", lasts_s=10)
        handler = AsyncImpProfHandler(
            "rabbit", host="127.0.0.1", port=node.tls_port, ssl_options=clients.options()
        )
        delivery = handler._delivery
        assert delivery.connect().wait(20)

        def is_turned_away() -> bool:
            node.ctl("close_all_connections", "over")
            said = str(handler.stats()["last_error"])
            return "Expired" in said or "does the broker ask for another client certificate" in said

        wait_until(is_turned_away, "it has expired", timeout_s=60)
        record: Any = {"item": "A", "job": "JOB", "method": "A:root", "value": ("observe", 1.0)}
        delivery.push("name", [record], handler.logger)
        assert handler.stats()["queued"] == 1
        clients.replace(authority, authority, "client.example")
        # There is no consumer: the broker has taken the record, and sends it back.
        wait_until(lambda: handler.stats()["returned"] >= 1, "it gets through", timeout_s=60)
        delivery.stop().wait(20)
