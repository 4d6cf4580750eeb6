"""Records as lines of JSON, for programs that read logs."""

from __future__ import annotations

import os
from datetime import datetime, timezone

from phanos._phanos import records_to_json
from phanos.types import Record


def json_lines(records: list[Record], name: str, batch: int) -> str:
    """
    Return one object per line, without a line break at the end.

    Args:
        records: the records of one metric; their values become what they are in messages.
        name: the metric's.
        batch: a number that records which were handed over together have in common.
    """
    import json  # Not everyone needs it: importing it takes 150 KB.

    head = json.dumps(
        {
            "time": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
            "process": os.getpid(),
            "batch": batch,
            "name": name,
        },
        separators=(",", ":"),
        default=str,
        ensure_ascii=False,
    )
    # Each record is an object in an array of one: `[{"item":...}]`.
    return "\n".join(f"{head[:-1]},{records_to_json([one])[2:-1].decode()}" for one in records)
