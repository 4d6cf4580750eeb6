"""A handler that draws the tree of calls."""

from __future__ import annotations

import logging
import sys
import threading
from typing import Any, TextIO

from phanos._asynchronous.waiting import now
from phanos._loggers import logger_of, write_message
from phanos.types import LoggerLike, Record

from .base import SyncBaseHandler, WatchedHandler
from .drawn_tree import Branch, parts_of

_DURATIONS = "mS"
"""Unit of the metric that is drawn."""


class TreeHandler(WatchedHandler, SyncBaseHandler):
    """
    Draws the tree of calls with counts, mean and total times: after each root call, or at times.

    A call that is made many times for one call of its root is marked, as `repeated 40 times`.
    Roots of one path that run at the same time are drawn together.

    Args:
        handler_name: name of the handler.
        output: a text stream; by default `sys.stdout` as it is when something is drawn.
        logger: a logger, any object with a method `log`, or the name of one, to draw to instead.
        level: level of its messages.
        interval_s: seconds for which calls are counted until the tree is drawn; 0: each root call
            is drawn when it ends.
        repeated: from how many calls for each call of its root a call is marked.

    Raises:
        TypeError: an argument of the wrong type, or both a stream and a logger.
        ValueError: a number out of range.
    """

    def __init__(
        self,
        handler_name: str,
        output: TextIO | None = None,
        *,
        logger: LoggerLike | str | None = None,
        level: int = logging.INFO,
        interval_s: float = 0.0,
        repeated: int = 10,
    ) -> None:
        super().__init__(handler_name)
        if output is not None and logger is not None:
            raise TypeError(f"TreeHandler {handler_name!r} takes a stream or a logger, got both")
        if output is not None and not callable(getattr(output, "write", None)):
            raise TypeError(
                f"TreeHandler {handler_name!r} expects a text stream as output, got {output!r}"
            )
        self.output = output
        self.logger = None if logger is None else logger_of(logger, "phanos")
        self.level = level
        self.interval_s = _positive("interval_s", interval_s, 0)
        self.repeated = _positive("repeated", repeated, 1)
        # Servers hand over from many threads.
        self._lock = threading.Lock()
        self._tree = Branch()
        self._drawn_at = now()

    def _target(self) -> str:
        output = getattr(self.output, "name", self.output)
        target = f"output={output!r}" if self.logger is None else f"logger={self.logger!r}"
        return f"{target}, interval_s={self.interval_s}"

    def handle(self, records: list[Record], profiler_name: str = "profiler") -> None:
        """Count a batch of durations; draw what is complete."""
        with self._lock:
            ended = self._count(records)
            if self.interval_s:
                ended = (
                    list(self._tree.children) if now() - self._drawn_at >= self.interval_s else []
                )
            drawn = self._taken(ended)
        self._write(drawn)

    def draw(self) -> None:
        """Draw now what was counted since the tree was drawn last."""
        with self._lock:
            drawn = self._taken(list(self._tree.children))
        self._write(drawn)

    def _write_rest(self) -> None:
        self.draw()

    def _count(self, records: list[Record]) -> list[str]:
        """Count the durations among `records`; return the roots that have ended."""
        ended: dict[str, None] = {}
        for record in records:
            if record["units"] == _DURATIONS and record["value"][0] == "observe":
                self._tree.add(record)
                root, *below = parts_of(record["method"])
                if not below:
                    ended[root] = None
        return list(ended)

    def _taken(self, roots: list[str]) -> Branch:
        """Take what was counted of `roots` out of the tree."""
        taken = Branch()
        for root in roots:
            taken.children[root] = self._tree.children.pop(root)
        self._drawn_at = now()
        return taken

    def _write(self, tree: Branch) -> None:
        text = "\n".join(tree.lines(self.repeated))
        output = sys.stdout if self.output is None else self.output
        if not text:
            return
        if self.logger is not None:
            write_message(self.logger, self.level, "%s", (text,), {})
        elif output is not None:  # A daemon has no stdout.
            output.write(f"{text}\n")
            flush = getattr(output, "flush", None)
            if flush is not None:
                flush()


def _positive(name: str, value: Any, least: int) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number, got {value!r}")
    if not value >= least:
        raise ValueError(f"{name} must be at least {least}, got {value!r}")
    return value
