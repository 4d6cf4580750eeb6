"""Certificates that last as long as a test run."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path

import trustme

from tools.rabbitmq import Certificates
from tools.rabbitmq.ports import HOST


@dataclass(frozen=True)
class Issued:
    """Files in PEM: a certificate with its key, and the authority that vouches for it."""

    authority: Path
    certificate: Path
    key: Path


class Authority:
    """A certificate authority of its own, which trusts no other and is trusted by no other."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._authority = trustme.CA()
        self.file = folder / "authority.pem"
        self._authority.cert_pem.write_to_path(str(self.file))

    def issue(self, name: str, *hosts: str, lasts_s: float | None = None) -> Issued:
        """Make a certificate for these hosts; the files are named after `name`."""
        now = datetime.datetime.now(datetime.timezone.utc)
        end = None if lasts_s is None else now + datetime.timedelta(seconds=lasts_s)
        issued = self._authority.issue_cert(*hosts, not_after=end)
        certificate = self._folder / f"{name}.pem"
        key = self._folder / f"{name}.key"
        issued.private_key_pem.write_to_path(str(key))
        certificate.write_bytes(b"".join(part.bytes() for part in issued.cert_chain_pems))
        return Issued(self.file, certificate, key)

    def for_node(self, *, client_required: bool = False) -> Certificates:
        """Return what a node on this machine needs to speak TLS."""
        issued = self.issue("node", "localhost", HOST)
        return Certificates(issued.authority, issued.certificate, issued.key, client_required)
