"""Faults at random, in the short form of `make soak`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from faults.soak import soak

from tools.rabbitmq import Node

SECONDS = 20.0
# Chosen anew each time and told when it fails; PHANOS_SOAK_SEED=123 repeats a run.
SEED = int(os.environ.get("PHANOS_SOAK_SEED", "0"))


@pytest.mark.xdist_group("test_faults_soak")
@pytest.mark.timeout(180)
def test_faults_at_random(broken_broker: Node, tmp_path: Path) -> None:
    seed = SEED or int.from_bytes(os.urandom(4), "big")
    print(f"seed {seed}")
    outcome = soak(broken_broker, tmp_path, seed, SECONDS)
    assert outcome.received == outcome.recorded > 1000
