"""How long to kill: seconds in the suite, a minute by `make kills`."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator

SECONDS = float(os.environ.get("PHANOS_KILLS_S", "8"))
# Chosen anew each time and told when a test fails; PHANOS_KILLS_SEED=123 repeats its choices.
SEED = int(os.environ.get("PHANOS_KILLS_SEED", "0"))
# For what follows on the last kill, on a busy machine.
TIMEOUT_S = SECONDS + 240


def choices() -> random.Random:
    seed = SEED or int.from_bytes(os.urandom(4), "big")
    print(f"seed {seed}")
    return random.Random(seed)


def until_time_is_up() -> Iterator[int]:
    """Count rounds; the last one may take longer."""
    end = time.monotonic() + SECONDS
    rounds = 0
    while time.monotonic() < end:
        yield rounds
        rounds += 1
