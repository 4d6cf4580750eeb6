"""Memory that a path takes, once a call has gone through it."""

from __future__ import annotations

import gc
from typing import Any

from costs.measured.memory import allocated_bytes, resident_bytes
from costs.measured.phanos_growth import LIMIT, family
from costs.measured.phanos_profilers import to_stream

WARM_PARENTS = 10
PARENTS = 500


def path_bytes() -> dict[str, Any]:
    """
    Go through `paths` new paths once.

    Returns how much the process grew by, `resident_bytes`, and how much of the C library's heap is
    in use for that, `allocated_bytes`, or None.
    """
    profiler, stream = to_stream()
    family(profiler.profile, WARM_PARENTS)(WARM_PARENTS * LIMIT)
    run, paths = family(profiler.profile, PARENTS), PARENTS * LIMIT
    gc.collect()
    arrived = stream.arrived()
    resident, allocated = resident_bytes(), allocated_bytes()
    run(paths)
    gc.collect()
    grown, used = resident_bytes() - resident, allocated_bytes()
    assert stream.arrived() - arrived == paths
    return {
        "paths": paths,
        "resident_bytes": grown,
        "allocated_bytes": used - allocated if used is not None and allocated is not None else None,
    }
