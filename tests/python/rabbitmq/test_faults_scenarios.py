"""Each fault of `make faults`: no record is lost that is not counted, and calls go on meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest
from faults.catalogue import SCENARIOS, Scenario

from tools.rabbitmq import Node

pytestmark = pytest.mark.timeout(150)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_record_is_received_or_counted(
    scenario: Scenario, broken_broker: Node, tmp_path: Path
) -> None:
    outcome = scenario.run(broken_broker, tmp_path)
    # Enough for something to have happened meanwhile; how long calls took, `make faults` says.
    assert outcome.recorded > 1000
