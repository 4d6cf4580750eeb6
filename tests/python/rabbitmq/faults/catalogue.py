"""All scenarios, in the order of the table."""

from __future__ import annotations

from faults import (
    broker_faults,
    limits,
    network_faults,
    routing_faults,
    spool_faults,
    system_faults,
)
from faults.scenario import SCENARIOS, Scenario

__all__ = [
    "SCENARIOS",
    "Scenario",
    "broker_faults",
    "limits",
    "network_faults",
    "routing_faults",
    "spool_faults",
    "system_faults",
]
