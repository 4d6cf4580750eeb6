"""Arguments of metrics, checked."""

from __future__ import annotations

from collections.abc import Iterable


def hint_at_form(units: object) -> str:
    """Return a hint, if a metric is made as prometheus_client makes them."""
    if not isinstance(units, (list, tuple, set, frozenset)):
        return ""
    return (
        ": it takes (name, job, units, labels), and not (name, documentation, labelnames) as "
        "prometheus_client does"
    )


def checked_labels(name: str, labels: Iterable[str] | None) -> set[str]:
    """Return the names of a metric's labels, or raise TypeError."""
    if labels is None:
        return set()
    if isinstance(labels, (str, bytes)) or not isinstance(labels, Iterable):
        raise TypeError(f"labels of metric {name!r} must be a set of str, got {labels!r}")
    names = set(labels)
    wrong = [label for label in names if not isinstance(label, str)]
    if wrong:
        raise TypeError(f"labels of metric {name!r} must be a set of str, got {wrong[0]!r} in it")
    return names
