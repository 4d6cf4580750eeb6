"""What a configuration can change of a profiler."""

from __future__ import annotations

from typing import Any

from phanos import publisher


def state_of(profiler: publisher.Profiler) -> dict[str, Any]:
    """Everything a configuration can change; objects are compared by identity."""
    names = (
        "job handle_records error_raised_label time_profile resp_size_profile profile_ext "
        "logger tree curr_node before_func after_func before_root_func after_root_func"
    )
    state: dict[str, Any] = {name: getattr(profiler, name) for name in names.split()}
    state["metrics"] = list(profiler.metrics.items())
    state["handlers"] = list(profiler.handlers.items())
    state["label_names"] = [set(metric.label_names) for metric in profiler.metrics.values()]
    return state
