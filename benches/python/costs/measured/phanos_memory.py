"""Memory that a path takes, once a call has gone through it."""

from __future__ import annotations

import gc
from typing import Any

from costs.measured.counting import counted
from costs.measured.memory import used_bytes
from costs.measured.phanos_growth import LIMIT, family
from costs.measured.phanos_profilers import to_stream

WARM_PARENTS = 10
PARENTS = 500


def path_bytes() -> dict[str, Any]:
    """Go through `paths` new paths once; returns how many `bytes` more are allocated then."""
    profiler, stream = to_stream()
    family(profiler.profile, WARM_PARENTS)(WARM_PARENTS * LIMIT)
    run, paths = family(profiler.profile, PARENTS), PARENTS * LIMIT
    gc.collect()
    arrived, before = stream.arrived(), used_bytes()
    with counted():
        run(paths)
    gc.collect()
    grown = used_bytes() - before
    assert stream.arrived() - arrived == paths
    return {"paths": paths, "bytes": grown}
