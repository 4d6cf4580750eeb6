"""Measure everything under one Python version."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from costs import calls, delivery, growth, imports, machine
from costs.participants import NEW, Installed, Participant
from costs.results import Result
from costs.rounds import SUITE, answer, ask
from costs.scales import Scale


def measured(
    there: Sequence[Installed],
    missing: Sequence[Participant],
    instead: Sequence[Installed],
    scale: Scale,
    wheel: Path | None,
    tell: Callable[[str], None],
) -> Result:
    """One part after the other; `tell` hears what is going on."""
    began = time.monotonic()
    new = next((one for one in there if one.participant == NEW), None)
    both = delivery.interpreters(there)
    result = Result(
        about=about([*there, *instead], missing, scale),
        imports=imports.measured(there, scale.imports),
        installed_bytes={one.participant.key: installed_bytes(one) for one in there},
        path_memory=ask(new.python, "memory") if new is not None else None,
        calls=calls.measured([*there, *instead], scale.calls, (), tell),
        growth=growth.measured(there, scale.growth, scale.growth_limit_s, tell),
        delivery=delivery.measured(both, scale.delivery, tell) if both is not None else None,
        wheel_bytes=wheel.stat().st_size if wheel is not None else None,
    )
    result.about["took_s"] = round(time.monotonic() - began)
    return result


def about(
    there: Sequence[Installed], missing: Sequence[Participant], scale: Scale
) -> dict[str, Any]:
    """When, where and with what."""
    git = ("git", "-C", str(SUITE))
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": machine.machine(),
        "python": machine.interpreter(there[0].python),
        "rustc": machine.said("rustc", "--version"),
        "commit": machine.said(*git, "rev-parse", "HEAD"),
        "changed": bool(machine.said(*git, "status", "--porcelain", "--untracked-files=no")),
        "participants": {one.participant.key: one.version for one in there},
        "missing": [participant.key for participant in missing],
        "scale": scale,
    }


def installed_bytes(one: Installed) -> dict[str, int]:
    """Disk that a participant takes, by package."""
    found: dict[str, int] = answer(
        [one.python, "-m", "costs.measured.installed_size", one.participant.package]
    )
    return found
