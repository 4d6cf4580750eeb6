"""
What of two transcripts of a program must be equal.

A program's `comparison` says how much its description fixes:

events: everything, in one order: hooks, probes, batches, what callers saw, text, records waiting.
handlers: the same, but each handler's batches by themselves: with handlers of both kinds, the sync
    ones need not wait until the async ones have been awaited.
records: as `events`, without the limits of batches. Roots ran inside one another's time; whose end
    hands over a record is open, the order of each metric's records is not.
strands: as `records`, but in any order, each root by itself. Roots ran interleaved, and how many
    turns of the loop it takes to await a handler is open.
"""

from __future__ import annotations

import difflib
import json
from typing import Any

Transcript = dict[str, Any]
DELIVERED = ("batch", "log", "count")
ENDS_FROM_OUTSIDE = ("CancelledError", "GeneratorExit")
"""Exceptions in flight of calls that may not await anything more."""


def comparable(program: dict[str, Any], transcript: Transcript) -> dict[str, Any]:
    """The part of `transcript` that both versions must agree on."""
    if "crash" in transcript:
        return transcript
    events = transcript["events"]
    final = dict(transcript["final"])
    if not program["nodes_comparable"]:
        events = [event for event in events if event[0] != "nodes"]
    if program["comparison"] == "events":
        return {"events": events, "final": final}
    if program["comparison"] == "handlers":
        seen = [event for event in events if event[0] not in ("batch", "log")]
        return {"events": seen, "delivered": _by_handler(events), "final": final}
    streams = final.pop("streams")
    final.pop("async batches finished")
    lines = {**streams, **_logged_lines(events)}
    records = _records_by_metric(events)
    texts = {handler: _lines_by_metric(lines[handler]) for handler in sorted(lines)}
    seen: Any = [event for event in events if event[0] not in DELIVERED]
    if program["comparison"] == "strands":
        records = {key: sorted(found, key=json.dumps) for key, found in records.items()}
        texts = {
            handler: {metric: sorted(found) for metric, found in by_metric.items()}
            for handler, by_metric in texts.items()
        }
        seen = {name: sorted(found, key=json.dumps) for name, found in _by_strand(seen).items()}
    return {"events": seen, "records": records, "texts": texts, "final": final}


def _by_handler(events: list[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for kind, strand, *details in events:
        if kind == "batch" and details[-1] in ENDS_FROM_OUTSIDE:
            # Ours ends such a call at once; asynchronous handlers get its records in a task of
            # their own (A12, A13).
            strand, details = "main", [*details[:-2], "", None]
        if kind in ("batch", "log"):
            found.setdefault(details[0], []).append([kind, strand, *details])
    return dict(sorted(found.items()))


def _records_by_metric(events: list[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for kind, _, *details in events:
        if kind == "batch":
            handler, metric, records = details[:3]
            found.setdefault(f"{handler} {metric}", []).extend(records)
    return dict(sorted(found.items()))


def _logged_lines(events: list[Any]) -> dict[str, list[str]]:
    lines: dict[str, list[str]] = {}
    for kind, _, *details in events:
        if kind == "log":
            handler, level, message = details
            lines.setdefault(handler, []).extend(
                f"{line} ({level})\n" for line in message.split("\n")
            )
    return lines


def _lines_by_metric(lines: list[str]) -> dict[str, list[str]]:
    """Lines of text output by metric, without the titles that some handlers write per batch."""
    found: dict[str, list[str]] = {}
    for line in lines:
        metric, separator, _ = line.partition(", method: ")
        if separator:
            found.setdefault(metric, []).append(line)
    return dict(sorted(found.items()))


def _by_strand(events: list[Any]) -> dict[str, list[Any]]:
    strands: dict[str, list[Any]] = {}
    for kind, strand, *details in events:
        strands.setdefault(strand, []).append([kind, *details])
    return strands


def differ(program: dict[str, Any], upstream: Transcript, ours: Transcript) -> bool:
    return comparable(program, upstream) != comparable(program, ours)


def show_difference(program: dict[str, Any], upstream: Transcript, ours: Transcript) -> str:
    """A unified diff of what should have been equal, one event, record or line per line."""
    before = _lines(comparable(program, upstream))
    after = _lines(comparable(program, ours))
    return "\n".join(difflib.unified_diff(before, after, "phanos 0.3.2", "ours", lineterm="", n=2))


def kind_of_difference(program: dict[str, Any], upstream: Transcript, ours: Transcript) -> str:
    """Where two transcripts first differ: enough to tell one difference from another."""
    shown = show_difference(program, upstream, ours).splitlines()
    return next((line[:24] for line in shown[2:] if line.startswith(("-", "+"))), "")


def _lines(value: Any, prefix: str = "") -> list[str]:
    if isinstance(value, dict):
        return [
            line for key, member in value.items() for line in _lines(member, f"{prefix}{key}: ")
        ]
    if prefix.startswith("crash"):
        return str(value).splitlines()
    if isinstance(value, list) and value and isinstance(value[0], list):
        return [prefix + json.dumps(member, ensure_ascii=False) for member in value]
    return [prefix + json.dumps(value, ensure_ascii=False)]
