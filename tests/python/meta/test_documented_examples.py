"""The examples of both documentation pages run, and record what the pages say they record."""

from __future__ import annotations

import copy
import logging
import typing
from typing import Any

import phanos
import pytest
from support import CollectingHandler, run_python

HERE = __name__


@pytest.fixture
def handler() -> CollectingHandler:
    """Attach a collecting handler to the default profiler, configured as by `config()`."""
    phanos.profiler.config(job="MyJob", time_profile=False, response_size_profile=False)
    collecting = CollectingHandler()
    phanos.profiler.add_handler(collecting)
    return collecting


# What both pages give as settings, with what differs left to be filled in.
SETTINGS_0_1: dict[str, Any] = {
    "job": "my_app",
    "logger": "my_app_debug_logger",
    "time_profile": True,
    "handle_records": True,
    "handlers": {
        "stdout_handler_ref": {
            "class": "phanos.publisher.StreamHandler",
            "handler_name": "stdout_handler",
            "output": "ext://sys.stdout",
        }
    },
}
SETTINGS_0_3: dict[str, Any] = {
    "job": "my_app",
    "logger": "my_app_debug_logger",
    "time_profile": True,
    "response_size_profile": False,
    "handle_records": True,
    "error_raised_label": False,
    "handlers": {
        "stdout_handler_ref": {
            "class": "phanos.handlers.StreamHandler",
            "handler_name": "stdout_handler",
            "output": "ext://sys.stdout",
        }
    },
}


@pytest.mark.parametrize(
    ("settings", "labels"),
    [
        pytest.param(SETTINGS_0_1, ", labels: error_raised=False", id="0.1"),
        pytest.param(SETTINGS_0_3, "", id="0.3"),
    ],
)
def test_settings_dict_writes_to_standard_output(settings: dict[str, Any], labels: str) -> None:
    # A fresh interpreter: its standard output is a plain stream that nothing replaces.
    completed = run_python(
        f"""
        import logging, phanos
        settings = {settings!r}
        phanos.profiler.dict_config(settings)
        assert phanos.profiler.job == "my_app"
        assert phanos.profiler.logger is logging.getLogger("my_app_debug_logger")
        assert list(phanos.profiler.handlers) == ["stdout_handler"]
        assert list(phanos.profiler.metrics) == ["time_profiler"]

        class SomeClass:
            @staticmethod
            @phanos.profile
            def some_method():
                pass

        SomeClass.some_method()
        """
    )
    assert completed.stderr == ""
    [line] = completed.stdout.splitlines()
    start, _, rest = line.partition(", value: ")
    assert start == "profiler: time_profiler, method: SomeClass:some_method"
    value, _, rest = rest.partition(" mS")
    assert float(value) >= 0
    assert rest == labels


@pytest.mark.parametrize("settings", [SETTINGS_0_1, SETTINGS_0_3])
def test_settings_dict_is_left_as_written(settings: dict[str, Any]) -> None:
    given = copy.deepcopy(settings)
    phanos.profiler.dict_config(given)
    assert given == settings


def test_0_1_configuration_in_code_inside_a_class_body(caplog: pytest.LogCaptureFixture) -> None:
    from phanos.publisher import ImpProfHandler, LoggerHandler

    assert issubclass(ImpProfHandler, phanos.publisher.SyncBaseHandler)
    logger = logging.getLogger("documented_0_1")
    time_profile, resp_size_profile, handle_records = True, True, True
    logger_instance, logging_level = logging.getLogger("documented_0_1.records"), logging.INFO
    caplog.set_level(logging.INFO, "documented_0_1.records")

    class Flask:
        pass

    class SomeApp(Flask):
        """some code"""

        phanos.profiler.config(logger, time_profile, resp_size_profile, handle_records)
        log_handler = LoggerHandler("logger_name", logger_instance, logging_level)
        phanos.profiler.addHandler(log_handler)

    assert phanos.profiler.logger is logger
    assert phanos.profiler.handlers == {"logger_name": SomeApp.log_handler}
    assert set(phanos.profiler.metrics) == {"time_profiler", "response_size"}

    @phanos.profile
    def some_method() -> None:
        pass

    # is equivalent to
    @phanos.profiler.profile
    def some_other_method() -> None:
        pass

    some_method()
    some_other_method()
    messages = [
        record.getMessage() for record in caplog.records if record.name == "documented_0_1.records"
    ]
    for name in ("some_method", "some_other_method"):
        size = f"profiler: response_size, method: {HERE}:{name}, value: 16.0 B"
        assert f"{size}, labels: error_raised=False" in messages
        assert any(
            message.startswith(f"profiler: time_profiler, method: {HERE}:{name}, value: ")
            for message in messages
        )
    assert len(messages) == 4

    phanos.profiler.deleteHandler("logger_name")
    assert phanos.profiler.handlers == {}


def test_0_1_switches_are_on_by_default() -> None:
    phanos.profiler.config(None, True)
    assert set(phanos.profiler.metrics) == {"time_profiler", "response_size"}
    assert phanos.profiler.handle_records is True


@pytest.mark.parametrize("name", ["time_profiler", "response_size"])
def test_built_in_metrics_can_be_deleted(name: str) -> None:
    phanos.profiler.config(None, True, True, True)
    collecting = CollectingHandler()
    phanos.profiler.add_handler(collecting)
    constant = {
        "time_profiler": phanos.publisher.TIME_PROFILER,
        "response_size": phanos.publisher.RESPONSE_SIZE,
    }[name]
    phanos.profiler.delete_metric(constant)

    @phanos.profile
    def some_method() -> None:
        pass

    some_method()
    [(left, _)] = collecting.batches
    assert {left, name} == {"time_profiler", "response_size"}


def test_0_1_custom_metric_stored_by_name_in_a_hook(handler: CollectingHandler) -> None:
    class MyMetric(phanos.metrics.Histogram):
        def __init__(self, name: str, job: str, units: str, labels: set[str]) -> None:
            super().__init__(name, job, units, labels)
            self.default_operation = "my_operation"
            self.operations = {"my_operation": self.my_operation}
            self.cleanups = 0

        def my_operation(self, value: float, *args: Any, **kwargs: Any) -> None:
            self.values.append(("my_operation", value))

        def my_method(self) -> None:
            pass

        def cleanup(self) -> None:
            super().cleanup()
            self.cleanups += 1

    my_metric = MyMetric("my_metric", "MyJob", "units", {"label_name"})
    measured_value = 12.5

    def before_function(func: Any, args: Any, kwargs: Any) -> None:
        # this operation will be recorded
        my_metric.store_operation(
            operation="my_operation",
            method=str(phanos.publisher.curr_node.get().ctx),
            value=measured_value,
            label_values={"label_name": "label_value"},
        )
        # this won't be recorded
        my_metric.my_method()

    phanos.profiler.before_func = before_function
    phanos.profiler.add_metric(my_metric)

    @phanos.profile
    def leaf() -> None:
        pass

    @phanos.profile
    def root() -> None:
        leaf()

    root()
    assert handler.records == [
        {
            "item": HERE,
            "metric": "histogram",
            "units": "units",
            "job": "MyJob",
            "method": f"{HERE}:{path}",
            "labels": {"label_name": "label_value", "error_raised": False},
            "value": ("my_operation", 12.5),
        }
        for path in ("root", "root.leaf")
    ]
    assert my_metric.cleanups == 1


def test_0_1_hooks_get_the_documented_parameters(handler: CollectingHandler) -> None:
    phanos.profiler.add_metric(phanos.metrics.Counter("any_metric", "MyJob", "units"))
    seen: list[tuple[Any, ...]] = []

    def before_function(func: Any, args: Any, kwargs: Any) -> None:
        seen.append(("before", func.__name__, args, kwargs))

    def before_root_function(func: Any, args: Any, kwargs: Any) -> None:
        seen.append(("before root", func.__name__, args, kwargs))

    def after_function(fn_result: Any, args: Any, kwargs: Any) -> None:
        seen.append(("after", fn_result, args, kwargs))

    def after_root_function(fn_result: Any, args: Any, kwargs: Any) -> None:
        seen.append(("after root", fn_result, args, kwargs))

    phanos.profiler.before_func = before_function
    phanos.profiler.before_root_func = before_root_function
    phanos.profiler.after_func = after_function
    phanos.profiler.after_root_func = after_root_function

    @phanos.profile
    def leaf(number: int) -> int:
        return number + 1

    @phanos.profile
    def root(number: int, *, name: str) -> int:
        return leaf(number) + 1

    assert root(1, name="one") == 3
    assert seen == [
        ("before root", "root", (1,), {"name": "one"}),
        ("before", "root", (1,), {"name": "one"}),
        ("before", "leaf", (1,), {}),
        ("after", 2, (1,), {}),
        ("after", 3, (1,), {"name": "one"}),
        ("after root", 3, (1,), {"name": "one"}),
    ]


def test_0_3_hooks_get_the_documented_parameters(handler: CollectingHandler) -> None:
    phanos.profiler.add_metric(phanos.metrics.Counter("any_metric", "MyJob", "units"))
    results: list[Any] = []

    def after_function(result: Any, args: Any, kwargs: Any) -> None:
        results.append((result, args, kwargs))

    phanos.profiler.after_func = after_function
    phanos.profiler.after_root_func = after_function

    @phanos.profile
    def some_method(*numbers: int, **names: str) -> int:
        return len(numbers) + len(names)

    some_method(1, 2, name="three")
    assert results == [(3, (1, 2), {"name": "three"})] * 2


def test_0_3_configuration_in_code(caplog: pytest.LogCaptureFixture) -> None:
    # The handler makes a logger of its own, which passes its records on to the root logger.
    caplog.set_level(logging.INFO)
    phanos.profiler.config(
        logger=None,
        time_profile=True,
        response_size_profile=False,
        handle_records=True,
        error_raised_label=True,
    )
    log_handler = phanos.publisher.LoggerHandler("handler_name", logger=None, level=logging.INFO)
    phanos.profiler.add_handler(log_handler)

    class SomeClass:
        """Example of @profile decorator placement"""

        @staticmethod
        @phanos.profile
        def some_method() -> None:
            pass

        # is equivalent to
        @staticmethod
        @phanos.profiler.profile
        def some_other_method() -> None:
            pass

    SomeClass.some_method()
    SomeClass.some_other_method()
    messages = [
        record.getMessage()
        for record in caplog.records
        if (record.name, record.levelname) == ("PHANOS", "INFO")
    ]
    assert len(messages) == 2
    for message, name in zip(messages, ("some_method", "some_other_method"), strict=True):
        assert message.startswith(f"profiler: time_profiler, method: {HERE}:{name}, value: ")
        assert message.endswith(" mS, labels: error_raised=False")

    phanos.profiler.delete_handler("handler_name")
    assert phanos.profiler.handlers == {}


def test_0_3_response_size_is_off_by_default() -> None:
    phanos.profiler.config(logger=None, job="my_app")
    assert list(phanos.profiler.metrics) == ["time_profiler"]
    assert phanos.profiler.handle_records is True


# custom metric example
class CustomMetric(phanos.metrics.Counter):
    def __init__(self, name: str, job: str, units: str, labels: set[str]) -> None:
        super().__init__(name, job, units, labels)
        # custom initialization
        self.count = 0

    def custom_op(
        self,
        value: int = 0,
        label_values: typing.Optional[typing.Dict[str, str]] = None,  # noqa: UP006, UP045
    ) -> None:
        self.count += value
        self.inc(self.count, label_values)

    def helper_method(self) -> None:
        pass

    def cleanup(self) -> None:
        super().cleanup()
        self.count = 0


def test_0_3_complete_example(handler: CollectingHandler) -> None:
    my_metric = CustomMetric(name="name", job="MyJob", units="units", labels={"label_name"})

    def before_function(func: Any, args: Any, kwargs: Any) -> None:
        # this operation will be recorded
        my_metric.custom_op(2, {"label_name": "label_value"})
        # this won't be recorded
        my_metric.helper_method()

    phanos.profiler.before_func = before_function
    phanos.profiler.add_metric(my_metric)

    @phanos.profile
    def leaf() -> None:
        pass

    @phanos.profile
    def root() -> None:
        leaf()

    for _ in range(2):
        root()
        assert my_metric.count == 0
    # The count starts again after every hand-over, as the metric's own cleanup says.
    assert handler.records == [
        {
            "item": HERE,
            "metric": "counter",
            "units": "units",
            "job": "MyJob",
            "method": f"{HERE}:{path}",
            "labels": {"label_name": "label_value", "error_raised": False},
            "value": ("inc", value),
        }
        for path, value in (("root", 2.0), ("root.leaf", 4.0)) * 2
    ]
    assert [name for name, _ in handler.batches] == ["name", "name"]


def test_0_3_metric_needs_name_job_and_units_only() -> None:
    metric = phanos.metrics.MetricWrapper("name", "MyJob", "units")
    assert (metric.name, metric.job, metric.units) == ("name", "MyJob", "units")
    assert metric.label_names == set()
    with pytest.raises(TypeError, match="units"):
        phanos.metrics.MetricWrapper("name", "MyJob")  # type: ignore[call-arg]
