"""Differences in configuration, names and handing over what waits."""

from __future__ import annotations

import contextlib
import copy
import io
import os
import sys
import types
import warnings
from collections.abc import Iterator
from typing import Any

import phanos
from differences import Recorder, configured, difference, equip, has, logged, outcome
from phanos import config, metrics, publisher

STREAM_HANDLER = "phanos.publisher.StreamHandler"


class Awaiting(publisher.AsyncBaseHandler):
    """A handler that only an asynchronous profiler can await."""

    def __init__(self, handler_name: str) -> None:
        super().__init__(handler_name)
        self.batches = 0

    @classmethod
    async def create(cls, handler_name: str) -> Awaiting:
        return cls(handler_name)

    async def handle(self, records: Any, profiler_name: str = "profiler") -> None:
        self.batches += 1


def settings_of(profiler: Any) -> list[Any]:
    return [profiler.job, list(profiler.metrics), list(profiler.handlers)]


@contextlib.contextmanager
def importable(name: str, **attributes: Any) -> Iterator[None]:
    """A module `name` with `attributes`, for as long as the block runs."""
    sys.modules[name] = types.ModuleType(name)
    vars(sys.modules[name]).update(attributes)
    try:
        yield
    finally:
        del sys.modules[name]


@difference("K01", upstream=[], ours=["time_profiler"])
def dict_config_measures_time_unless_told() -> Any:
    profiler = publisher.Profiler()
    profiler.dict_config({"job": "JOB"})
    return list(profiler.metrics)


@difference(
    "K02",
    upstream={
        "class": ["AttributeError", "OTHER"],
        "module": ["ModuleNotFoundError", "OTHER"],
        "arguments": ["TypeError", "OTHER"],
        "no name": ["TypeError", "OTHER"],
    },
    ours={
        "class": ["AttributeError", "JOB"],
        "module": ["ModuleNotFoundError", "JOB"],
        "arguments": ["TypeError", "JOB"],
        "no name": ["TypeError", "JOB"],
    },
)
def configuration_that_fails() -> Any:
    wrong_handlers = {
        "class": {"class": "phanos.publisher.NoSuchHandler", "handler_name": "bad"},
        "module": {"class": "no_such_module.Handler", "handler_name": "bad"},
        "arguments": {"class": STREAM_HANDLER, "handler_name": "bad", "no_such": 1},
        "no name": {"class": STREAM_HANDLER},
    }
    found = {}
    for name, handler in wrong_handlers.items():
        profiler, _ = configured()
        settings = {"job": "OTHER", "handlers": {"bad": handler}}
        error = outcome(lambda: profiler.dict_config(copy.deepcopy(settings)))
        found[name] = [error, profiler.job]
    return found


@difference("K03", upstream=["ModuleNotFoundError", "imported"], ours=["imported", "imported"])
def external_prefix() -> Any:
    found = []
    for module in ("exterior", "plain"):
        with importable(module, stream=io.StringIO()):
            given = {"output": f"ext://{module}.stream"}
            error = outcome(lambda: config.parse_arguments(given))
            found.append("imported" if error == "returned" else error)
    return found


@difference("K04", upstream="TypeError", ours="returned")
def open_file_in_a_dict_configuration() -> Any:
    profiler = publisher.Profiler()
    with open(os.devnull, "w", encoding="utf-8") as output:
        handler = {"class": STREAM_HANDLER, "handler_name": "file", "output": output}
        return outcome(lambda: profiler.dict_config({"job": "JOB", "handlers": {"h": handler}}))


@difference("K05", upstream=["returned", "returned"], ours=["ValueError", "ValueError"])
def sync_configuration_with_async_handlers_attached() -> Any:
    found = []
    for method, arguments in (("config", {"job": "OTHER"}), ("dict_config", {})):
        profiler = publisher.Profiler()
        profiler.async_config(job="JOB")
        profiler.add_handler(Awaiting("awaiting"))
        call = getattr(profiler, method)
        if method == "config":
            found.append(outcome(lambda: call(**arguments)))
        else:
            found.append(outcome(lambda: call({"job": "OTHER"})))
    return found


@difference("K06", upstream=[False, False], ours=[True, True])
def unknown_settings_are_named_in_a_warning() -> Any:
    found = []
    with logged("phanos") as lines:
        for configure in (
            lambda profiler: profiler.config(job="JOB", tiem_profile=True),
            lambda profiler: profiler.dict_config({"job": "JOB", "tiem_profile": True}),
        ):
            lines.clear()
            configure(publisher.Profiler())
            found.append(any("tiem_profile" in line.getMessage() for line in lines))
    return found


@difference(
    "K07",
    upstream=[False, ["time_profiler"], True],
    ours=["", ["response_size"], False],
)
def config_of_the_first_generation() -> Any:
    profiler = publisher.Profiler()
    # logger, time_profile, resp_size_profile, handle_records
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        profiler.config(None, False, True, False)
    return [profiler.job, list(profiler.metrics), profiler.handle_records]


@difference(
    "K08",
    upstream={
        "phanos": [False, False],
        "phanos.publisher": [False, False],
        "Profiler": [False, False, False, False],
        "phanos.tree": [False],
    },
    ours={
        "phanos": [True, True],
        "phanos.publisher": [True, True],
        "Profiler": [True, True, True, True],
        "phanos.tree": [True],
    },
)
def documented_names() -> Any:
    profiler, _ = configured()
    return {
        "phanos": has(phanos, "handlers", "__version__"),
        "phanos.publisher": has(publisher, "PhanosProfiler", "curr_node"),
        "Profiler": has(
            profiler,
            "addHandler",
            "deleteHandler",
            "handle_records_clear",
            "force_handle_records_clear",
        ),
        "phanos.tree": has(phanos.tree, "curr_node"),
    }


@difference(
    "K09",
    upstream={
        "delete_handler": [],
        "delete_handlers": [],
        "delete_metric": [],
        "delete_metrics": [],
        "replace metric": [],
        "replace handler": [],
    },
    ours={
        "delete_handler": [1.5],
        "delete_handlers": [1.5],
        "delete_metric": [1.5],
        "delete_metrics": [1.5],
        "replace metric": [1.5],
        "replace handler": [1.5],
    },
)
def what_waits_goes_out_before_a_deletion() -> Any:
    changes = {
        "delete_handler": lambda profiler: profiler.delete_handler("recorder"),
        "delete_handlers": lambda profiler: profiler.delete_handlers(),
        "delete_metric": lambda profiler: profiler.delete_metric("gauge"),
        "delete_metrics": lambda profiler: profiler.delete_metrics(),
        "replace metric": lambda profiler: profiler.add_metric(metrics.Gauge("gauge", "JOB", "V")),
        "replace handler": lambda profiler: profiler.add_handler(Recorder()),
    }
    found = {}
    for name, change in changes.items():
        gauge = metrics.Gauge("gauge", "JOB", "V")
        profiler, recorder = configured(gauge)
        gauge.set(1.5, profiler.tree.root)
        change(profiler)
        found[name] = recorder.values("gauge")
    return found


@difference("K10", upstream=[], ours=["work"])
def metric_deleted_during_a_call() -> Any:
    gauge = metrics.Gauge("gauge", "JOB", "V")
    profiler, recorder = configured(gauge)

    @profiler.profile
    def work() -> None:
        gauge.set(1.5, profiler.curr_node.get())
        profiler.delete_metric("gauge")

    work()
    return recorder.methods("gauge")


@difference("K11", upstream=[5, "yes"], ours=["TypeError", "TypeError"])
def settings_of_a_wrong_type() -> Any:
    found: list[Any] = []
    for settings, attribute in (({"job": 5}, "job"), ({"handle_records": "yes"}, "handle_records")):
        profiler = publisher.Profiler()
        error = outcome(lambda: profiler.config(**settings))
        found.append(getattr(profiler, attribute) if error == "returned" else error)
    return found


@difference(
    "K12",
    upstream={"has flush": False, "waiting": 1},
    ours={"has flush": True, "waiting": 0},
)
def flush_hands_over_what_waits() -> Any:
    gauge = metrics.Gauge("gauge", "JOB", "V")
    profiler = publisher.Profiler()
    profiler.config(job="JOB")
    equip(profiler, gauge)
    gauge.set(1.5, profiler.tree.root)
    if hasattr(profiler, "flush"):
        profiler.flush()
    return {"has flush": hasattr(profiler, "flush"), "waiting": profiler.get_records_count()}


@difference(
    "K13",
    upstream=[["response_size", "OLD"], ["time_profiler", "NEW"]],
    ours=[["time_profiler", "NEW"]],
)
def configuring_again_with_a_metric_switched_off() -> Any:
    profiler = publisher.Profiler()
    profiler.config(job="OLD", response_size_profile=True)
    profiler.config(job="NEW", response_size_profile=False)
    return [[name, metric.job] for name, metric in profiler.metrics.items()]


@difference("K14", upstream=[True] * 4, ours=[False] * 4)
def names_of_modules_imported_by_modules() -> Any:
    return [
        hasattr(publisher, "datetime"),
        hasattr(publisher, "log"),
        hasattr(metrics, "dt"),
        hasattr(config, "_to_callable"),
    ]


@difference("K15", upstream=[0, 0], ours=[1, 0])
def an_attribute_that_a_profiler_does_not_have() -> Any:
    class Own(publisher.Profiler):
        pass

    found = []
    for kind in (publisher.Profiler, Own):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            kind().handel_records = False
        found.append(len(caught))
    return found


@difference("K16", upstream=[False], ours=[True])
def handler_for_prometheus() -> Any:
    return has(publisher, "PrometheusHandler")
