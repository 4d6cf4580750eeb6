"""Each fault of `make faults`: nothing is lost that is not counted, and nobody is slowed down."""

from __future__ import annotations

from pathlib import Path

import pytest
from faults.catalogue import SCENARIOS, Scenario

from tools.rabbitmq import Node

# A machine that does other things as well may take its time; what is fast is for benchmarks to say.
SLOWEST_S = 0.25
LAG_S = 0.5

pytestmark = pytest.mark.timeout(150)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_record_is_received_or_counted(
    scenario: Scenario, broken_broker: Node, tmp_path: Path
) -> None:
    outcome = scenario.run(broken_broker, tmp_path)
    # Enough for something to have happened meanwhile.
    assert outcome.recorded > 1000
    assert outcome.slowest_s < SLOWEST_S
    assert outcome.lag_s < LAG_S
