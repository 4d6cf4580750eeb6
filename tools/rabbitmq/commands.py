"""What an administrator can tell a running node."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import Any

from .settings import MEMORY_LIMIT

EVERYTHING = ".*"


class CommandError(Exception):
    """`rabbitmqctl` failed; the message is what it printed."""


class Commands(ABC):
    """Commands of `rabbitmqctl`, each of which takes about 0.3 s."""

    @abstractmethod
    def ctl(self, *arguments: str) -> str:
        """
        Run `rabbitmqctl` and return what it printed.

        Raises `CommandError` when it fails or takes too long.
        """

    def memory_alarm(self, on: bool) -> None:
        """Let the node believe that it has used up its memory: it blocks publishers."""
        limit = ("0",) if on else ("absolute", MEMORY_LIMIT)
        self.ctl("set_vm_memory_high_watermark", *limit)

    def add_user(self, name: str, password: str, vhost: str = "/") -> None:
        """Make a user who may do everything in one virtual host."""
        self.ctl("add_user", name, password)
        self.ctl("set_permissions", "--vhost", vhost, name, EVERYTHING, EVERYTHING, EVERYTHING)

    def add_vhost(self, name: str, user: str = "guest") -> None:
        """Make a virtual host in which `user` may do everything."""
        self.ctl("add_vhost", name)
        self.ctl("set_permissions", "--vhost", name, user, EVERYTHING, EVERYTHING, EVERYTHING)

    def set_policy(
        self, name: str, pattern: str, definition: dict[str, Any], vhost: str = "/"
    ) -> None:
        """Apply a policy to the queues and exchanges whose names match `pattern`."""
        self.ctl("set_policy", "--vhost", vhost, name, pattern, json.dumps(definition))

    def clear_policy(self, name: str, vhost: str = "/") -> None:
        """Remove a policy."""
        self.ctl("clear_policy", "--vhost", vhost, name)

    def list_connections(self) -> list[dict[str, Any]]:
        """Return `user`, `vhost`, `state` and `client_properties`, a dict, of every connection."""
        columns = ("user", "vhost", "state", "client_properties")
        answer = self.ctl("--quiet", "list_connections", "--formatter", "json", *columns)
        connections: list[dict[str, Any]] = json.loads(answer)
        for connection in connections:
            connection["client_properties"] = plain(connection["client_properties"])
        return connections

    def close_all_connections(self, reason: str) -> None:
        """Close every connection of every client, as an administrator may."""
        self.ctl("close_all_connections", "--global", reason)


def plain(table: list[tuple[str, str, Any]]) -> dict[str, Any]:
    """Return a table of AMQP, given as `[[name, type, value], ...]`, as a dict."""
    return {name: plain(value) if kind == "table" else value for name, kind, value in table}
