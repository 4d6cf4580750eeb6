"""Processes that record, those that count, and a broker: all of them to be killed."""

from __future__ import annotations

import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
for folder in ("collector", "prometheus", "rabbitmq"):
    sys.path.append(str(TESTS / folder))
