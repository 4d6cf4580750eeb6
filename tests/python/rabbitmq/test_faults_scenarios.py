"""Each fault of `make faults`: no record is lost that is not counted, and calls go on meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest
from faults.catalogue import SCENARIOS, Scenario

from tools.rabbitmq import Node

pytestmark = pytest.mark.timeout(150)


# Half of them have another broker, so that two processes can share the work.
HALVES = [
    pytest.param(
        scenario, id=scenario.name, marks=pytest.mark.xdist_group(f"broken_broker_{place % 2}")
    )
    for place, scenario in enumerate(SCENARIOS)
]


@pytest.mark.parametrize("scenario", HALVES)
def test_every_record_is_received_or_counted(
    scenario: Scenario, broken_broker: Node, tmp_path: Path
) -> None:
    if lacking := scenario.lacks():
        pytest.skip(lacking)
    outcome = scenario.run(broken_broker, tmp_path)
    # Enough for something to have happened meanwhile; how long calls took, `make faults` says.
    assert outcome.recorded > 1000
