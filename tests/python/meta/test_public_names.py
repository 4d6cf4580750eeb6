"""Every documented name is there, means one object everywhere, and takes the same arguments."""

from __future__ import annotations

import contextvars
import importlib
import importlib.metadata
import inspect
import json
import typing
from pathlib import Path
from types import ModuleType
from typing import Any, get_args, get_type_hints

import phanos
import pytest
from phanos import config, handlers, messaging, metrics, publisher, tree, types

pytestmark = pytest.mark.every_version

NAMES = {
    "phanos": (
        "MethodTreeNode config handlers log messaging metrics phanos_profiler profile profiler "
        "publisher tree types __version__"
    ),
    "phanos.publisher": (
        "AbstractExtProfiler AfterType AsyncBaseHandler AsyncExtProfiler AsyncImpProfHandler "
        "AsyncioPublisher BaseHandler BeforeType BlockingPublisher ContextTree ImpProfHandler "
        "LoggerHandler LoggerLike MethodTreeNode MetricWrapper NETWORK_ERRORS NamedLoggerHandler "
        "OutputFormatter PhanosProfiler Profiler PrometheusHandler RESPONSE_SIZE Record "
        "ResponseSize StreamHandler SyncBaseHandler "
        "SyncExtProfiler TIME_PROFILER TimeProfiler curr_node log_error_profiling"
    ),
    "phanos.handlers": (
        "AsyncBaseHandler AsyncImpProfHandler BaseHandler ImpProfHandler LoggerHandler "
        "NamedLoggerHandler OutputFormatter PrometheusHandler StreamHandler SyncBaseHandler"
    ),
    "phanos.metrics": (
        "Counter Enum Gauge Histogram Info InvalidValueError MetricWrapper OperationCallable "
        "ResponseSize StoreOperationDecorator Summary TimeProfiler ValueTypes"
    ),
    "phanos.tree": "Context ContextTree MethodTreeNode curr_node",
    "phanos.messaging": "AsyncioPublisher BasePublisher BlockingPublisher NETWORK_ERRORS",
    "phanos.config": (
        "EXTERNAL_PREFIX create_async_handlers create_handlers import_external inherits_from "
        "parse_arguments"
    ),
    "phanos.types": "AfterType BeforeType LoggerLike Record ValueTypes",
    "phanos.log": "InstanceLoggerMixin",
}
EVERY_NAME = [(module, name) for module, names in NAMES.items() for name in names.split()]

PROFILER_ATTRIBUTES = (
    "metrics handlers tree curr_node job logger handle_records error_raised_label time_profile "
    "resp_size_profile before_func after_func before_root_func after_root_func profile_ext "
    "RECORDS_LEN_LIMIT RECORDS_ERR_LIMIT config async_config dict_config async_dict_config "
    "profile add_handler addHandler delete_handler deleteHandler delete_handlers add_metric "
    "delete_metric delete_metrics clear create_time_profiler create_response_size_profiler "
    "get_records_count needs_profiling set_curr_node delete_curr_node measure_execution_start "
    "before_func_profiling after_function_profiling handle_records_clear "
    "force_handle_records_clear flush aflush"
)
METRIC_ATTRIBUTES = (
    "name job units metric values label_values method label_names operations default_operation "
    "to_records cleanup eq_labels store_operation logger logged_name"
)
LOGGING_METHODS = "log debug info warning error exception critical fatal"

# What 0.3.2 declares, `self` left out: "module.Class" is the constructor's signature.
SIGNATURES: dict[str, str] = json.loads(
    Path(__file__).with_name("signatures_0_3_2.json").read_text(encoding="utf-8")
)


def lookup(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)


def signature_of(dotted: str) -> tuple[Any, inspect.Signature]:
    """The callable behind "module.Class.method" and its signature without `self` or `cls`."""
    module, *path = dotted.split(".")
    owner: Any = importlib.import_module(f"phanos.{module}")
    for name in path[:-1]:
        owner = getattr(owner, name)
    target = getattr(owner, path[-1])
    signature = inspect.signature(target)
    raw = inspect.getattr_static(owner, path[-1])
    if inspect.isclass(owner) and not isinstance(raw, staticmethod | classmethod):
        signature = signature.replace(parameters=list(signature.parameters.values())[1:])
    return target, signature


@pytest.mark.parametrize(("module", "name"), EVERY_NAME)
def test_name_is_importable(module: str, name: str) -> None:
    assert lookup(module, name) is not None


def test_submodules_are_attributes_of_the_package() -> None:
    for name in NAMES:
        if name != "phanos":
            submodule = getattr(phanos, name.rpartition(".")[2])
            assert isinstance(submodule, ModuleType)
            assert submodule.__name__ == name


def test_version_is_the_installed_one() -> None:
    assert phanos.__version__ == importlib.metadata.version("phanos")


def test_default_profiler_and_its_aliases() -> None:
    assert type(phanos.profiler) is publisher.Profiler
    assert phanos.phanos_profiler is phanos.profiler
    assert phanos.profile == phanos.profiler.profile
    assert phanos.MethodTreeNode is tree.MethodTreeNode
    assert publisher.PhanosProfiler is publisher.Profiler


def test_curr_node_is_one_context_variable_under_each_of_its_names() -> None:
    assert isinstance(phanos.profiler.curr_node, contextvars.ContextVar)
    assert publisher.curr_node is phanos.profiler.curr_node
    assert tree.curr_node is phanos.profiler.curr_node


def test_each_profiler_has_its_own_current_node_and_tree() -> None:
    first, second = publisher.Profiler(), publisher.Profiler()
    assert first.curr_node is not second.curr_node
    assert first.tree.root is not second.tree.root
    assert first.curr_node.get() is first.tree.root


@pytest.mark.parametrize("name", NAMES["phanos.handlers"].split())
def test_handlers_module_has_the_objects_of_publisher(name: str) -> None:
    assert getattr(handlers, name) is getattr(publisher, name)


def test_names_of_the_built_in_metrics() -> None:
    assert publisher.TIME_PROFILER == "time_profiler"
    assert publisher.RESPONSE_SIZE == "response_size"
    assert config.EXTERNAL_PREFIX == "ext://"


@pytest.mark.parametrize("name", PROFILER_ATTRIBUTES.split())
def test_profiler_has_attribute(name: str) -> None:
    assert hasattr(publisher.Profiler(), name)


def test_types_of_hooks_and_operations_can_be_read_at_run_time() -> None:
    def declared(before: publisher.BeforeType, after: publisher.AfterType) -> metrics.ValueTypes:
        return 0.0

    hints = get_type_hints(declared)
    assert type(None) in get_args(hints["before"])
    assert type(None) in get_args(hints["after"])
    assert float in get_args(hints["return"])
    arguments, result = get_args(metrics.OperationCallable)
    assert arguments[0] is metrics.MetricWrapper
    assert result in (None, type(None))


def test_old_spellings_are_the_same_methods() -> None:
    profiler = publisher.Profiler()
    assert profiler.addHandler == profiler.add_handler or (
        type(profiler).addHandler is type(profiler).add_handler
    )
    assert profiler.deleteHandler == profiler.delete_handler or (
        type(profiler).deleteHandler is type(profiler).delete_handler
    )


def test_a_new_profiler_is_empty_and_switched_off() -> None:
    profiler = publisher.Profiler()
    assert profiler.metrics == {}
    assert profiler.handlers == {}
    assert profiler.job == ""
    assert profiler.handle_records is False
    assert profiler.time_profile is None
    assert profiler.resp_size_profile is None
    assert profiler.profile_ext is None
    hooks = ("before_func", "after_func", "before_root_func", "after_root_func")
    assert [getattr(profiler, name) for name in hooks] == [None] * 4
    assert (profiler.RECORDS_LEN_LIMIT, profiler.RECORDS_ERR_LIMIT) == (100, 3000)
    assert publisher.Profiler.RECORDS_LEN_LIMIT == 100
    assert publisher.Profiler.RECORDS_ERR_LIMIT == 3000


@pytest.mark.parametrize("name", METRIC_ATTRIBUTES.split())
def test_metric_has_attribute(name: str) -> None:
    assert hasattr(metrics.Histogram("api_names", "JOB", "units"), name)


@pytest.mark.parametrize("name", LOGGING_METHODS.split())
def test_what_logs_has_the_logging_methods(name: str) -> None:
    profiler = publisher.Profiler()
    metric = metrics.Histogram("api_logging", "JOB", "units")
    for instance in (profiler, profiler.tree, profiler.tree.root, metric):
        assert callable(getattr(instance, name))


def test_nodes_and_trees_have_their_attributes() -> None:
    node = tree.MethodTreeNode(test_nodes_and_trees_have_their_attributes)
    for name in ("ctx", "parent", "children", "add_child"):
        assert hasattr(node, name)
    for name in ("value", "method"):
        assert hasattr(node.ctx, name)
    for name in ("root", "delete_node", "find_and_delete_node", "clear"):
        assert hasattr(tree.ContextTree(), name)


def test_class_hierarchy() -> None:
    for name in ("Histogram", "Summary", "Counter", "Info", "Gauge", "Enum"):
        assert issubclass(getattr(metrics, name), metrics.MetricWrapper)
    assert issubclass(metrics.TimeProfiler, metrics.Histogram)
    assert issubclass(metrics.ResponseSize, metrics.Histogram)
    assert issubclass(metrics.InvalidValueError, Exception)
    for name in ("StreamHandler", "LoggerHandler", "NamedLoggerHandler", "ImpProfHandler"):
        assert issubclass(getattr(publisher, name), publisher.SyncBaseHandler)
    assert issubclass(publisher.AsyncImpProfHandler, publisher.AsyncBaseHandler)
    assert issubclass(publisher.SyncBaseHandler, publisher.BaseHandler)
    assert issubclass(publisher.AsyncBaseHandler, publisher.BaseHandler)
    assert issubclass(publisher.SyncExtProfiler, publisher.AbstractExtProfiler)
    assert issubclass(publisher.AsyncExtProfiler, publisher.AbstractExtProfiler)
    assert issubclass(messaging.BlockingPublisher, messaging.BasePublisher)
    assert issubclass(messaging.AsyncioPublisher, messaging.BasePublisher)


@pytest.mark.parametrize("name", ["SyncBaseHandler", "AsyncBaseHandler"])
def test_base_handlers_need_a_handle_method(name: str) -> None:
    with pytest.raises(TypeError, match="abstract"):
        getattr(publisher, name)("handler")


def test_base_handler_keeps_its_name() -> None:
    assert publisher.BaseHandler("plain").handler_name == "plain"


def test_network_errors_can_be_caught() -> None:
    assert isinstance(messaging.NETWORK_ERRORS, tuple)
    assert all(issubclass(error, Exception) for error in messaging.NETWORK_ERRORS)
    with pytest.raises(messaging.NETWORK_ERRORS):
        raise ConnectionRefusedError("port 5672")


def test_record_type_names_the_keys_of_a_record() -> None:
    keys = {"item", "metric", "units", "value", "job", "method", "labels"}
    assert set(get_type_hints(types.Record)) == keys
    assert types.Record.__required_keys__ == keys


CLASSES = sorted(
    {
        (module, name)
        for module, name in EVERY_NAME
        # A typed dict is none that objects can be instances of.
        if module not in ("phanos", "phanos.types")
        and name != "Record"
        and inspect.isclass(lookup(module, name))
        and typing.get_origin(lookup(module, name)) is None  # A class as well, on CPython 3.10.
    }
)


@pytest.mark.parametrize(("module", "name"), CLASSES)
def test_class_can_be_subclassed(module: str, name: str) -> None:
    base = lookup(module, name)
    subclass = type(f"My{name}", (base,), {"added": 1})
    assert issubclass(subclass, base)
    assert subclass.added == 1


@pytest.mark.parametrize(("module", "name"), CLASSES)
def test_class_says_where_it_can_be_imported_from(module: str, name: str) -> None:
    base = lookup(module, name)
    assert lookup(base.__module__, base.__name__) is base


@pytest.mark.parametrize("dotted", sorted(SIGNATURES))
def test_signature_takes_what_0_3_2_took(dotted: str) -> None:
    expected_text = SIGNATURES[dotted]
    is_async = expected_text.startswith("async ")
    expected = inspect.signature(
        eval(f"lambda {expected_text.removeprefix('async ')[1:-1]}: None", {"sys": object})
        if dotted != "publisher.StreamHandler"
        # The default stream is whatever standard output is: only its presence is fixed.
        else lambda handler_name, output=None: None
    )
    target, actual = signature_of(dotted)

    assert inspect.iscoroutinefunction(target) is is_async
    names = list(actual.parameters)
    for position, (name, wanted) in enumerate(expected.parameters.items()):
        assert name in actual.parameters, f"{dotted}{actual} lacks {name}"
        given = actual.parameters[name]
        assert given.kind is wanted.kind, f"{dotted}{actual}: kind of {name}"
        if wanted.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD:
            assert names[position] == name, f"{dotted}{actual}: place of {name}"
        if dotted != "publisher.StreamHandler":
            assert given.default == wanted.default, f"{dotted}{actual}: default of {name}"
        else:
            assert (given.default is given.empty) == (wanted.default is wanted.empty)
    added = [given for name, given in actual.parameters.items() if name not in expected.parameters]
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    required = [
        given.name for given in added if given.default is given.empty and given.kind not in variadic
    ]
    assert required == [], f"{dotted}{actual} demands arguments that 0.3.2 did not know"
