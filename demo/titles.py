"""How both tours print their sections."""

from __future__ import annotations


def title(text: str) -> None:
    """Print a section's title."""
    print(f"\n{text}\n{'─' * len(text)}", flush=True)
