"""Differences in what handlers write, and in what happens at the end of the process."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import subprocess
import sys
from typing import Any

from differences import configured, difference, logged
from phanos import metrics, publisher

CHILD_DEADLINE_S = 20


@difference(
    "O01",
    upstream=[
        "profiler: gauge, method: , value: 1.5 V, labels: k=one\n",
        "profiler: forged, method: , value: 2.5 V, error_raised=False\n",
    ],
    ours=[
        "profiler: gauge, method: , value: 1.5 V, labels: "
        "k=one\\nprofiler: forged, method: , value: 2.5 V, error_raised=False\n",
    ],
)
def line_break_in_a_label() -> Any:
    gauge = metrics.Gauge("gauge", "JOB", "V", {"k"})
    profiler, _ = configured(gauge, time_profile=False)
    output = io.StringIO()
    profiler.add_handler(publisher.StreamHandler("stream", output))
    forged = "one\nprofiler: forged, method: , value: 2.5 V"
    gauge.set(1.5, profiler.tree.root, {"k": forged})

    @profiler.profile
    def root() -> None:
        pass

    root()
    return output.getvalue().splitlines(keepends=True)


@difference(
    "O07",
    upstream="profiler: p, method: A:work, value: 1.5 mS, labels: k=\udc80",
    ours="profiler: p, method: A:work, value: 1.5 mS, labels: k=\\udc80",
)
def lone_surrogate_in_a_label() -> Any:
    record: Any = {
        "item": "A",
        "metric": "histogram",
        "units": "mS",
        "job": "JOB",
        "method": "A:work",
        "labels": {"k": "\udc80"},
        "value": ("observe", 1.5),
    }
    return publisher.OutputFormatter.record_to_str("p", record)


@difference("O02", upstream=3, ours=1)
def handlers_of_the_default_logger() -> Any:
    logger = logging.getLogger("PHANOS")
    before = list(logger.handlers)
    for handler in before:
        logger.removeHandler(handler)
    for name in ("first", "second", "third"):
        publisher.LoggerHandler(name)
    attached = len(logger.handlers)
    logger.handlers[:] = before
    return attached


@difference(
    "O03",
    upstream=["text"],
    ours=["bool", "text"],
)
def failed_calls_logged_by_log_error_profiling() -> Any:
    found = []
    for kind, error_raised in (("bool", True), ("text", "True")):
        record: Any = {
            "item": "A",
            "metric": "histogram",
            "units": "mS",
            "job": "JOB",
            "method": "A:work",
            "labels": {"error_raised": error_raised},
            "value": ("observe", 1.5),
        }
        logger = logging.getLogger("differences.failed")
        with logged("differences.failed", logging.DEBUG) as lines:
            publisher.log_error_profiling("p", publisher.OutputFormatter(), logger, [record])
        found += [kind] if lines else []
    return found


EXIT_PROGRAM = """
import sys
from phanos import metrics, publisher
profiler = publisher.Profiler()
profiler.config(job="JOB", time_profile=False)
gauge = metrics.Gauge("gauge", "JOB", "V")
profiler.add_metric(gauge)
profiler.add_handler(publisher.StreamHandler("stream", sys.stdout))
gauge.set(1.5, profiler.tree.root)
"""


@difference(
    "O04",
    upstream="",
    ours="profiler: gauge, method: , value: 1.5 V, labels: error_raised=False\n",
)
def records_waiting_at_interpreter_exit() -> Any:
    done = subprocess.run(
        [sys.executable, "-c", EXIT_PROGRAM],
        capture_output=True,
        text=True,
        timeout=CHILD_DEADLINE_S,
        check=True,
    )
    return done.stdout


@difference("O06", upstream=["first", "second"], ours=["first"])
def operation_inside_a_handler() -> Any:
    gauge = metrics.Gauge("gauge", "JOB", "V")
    profiler = publisher.Profiler()
    profiler.config(job="JOB")
    profiler.add_metric(gauge)
    seen: list[str] = []

    class Measuring(publisher.SyncBaseHandler):
        def handle(self, records: Any, profiler_name: str = "profiler") -> None:
            if profiler_name == publisher.TIME_PROFILER:
                gauge.set(2.5, profiler.tree.root)
            else:
                names = {1.5: "first", 2.5: "second"}
                seen.extend(names[record["value"][1]] for record in records)

    profiler.add_handler(Measuring("measuring"))

    @profiler.profile
    def root() -> None:
        gauge.set(1.5, profiler.curr_node.get())

    root()
    return seen


@difference(
    "O08",
    upstream=["root.before", "root.after", "root"],
    ours=["root.after", "root"],
)
def records_that_wait_when_a_child_is_forked() -> Any:
    profiler, recorder = configured()
    reading, writing = os.pipe()

    @profiler.profile
    def before() -> None:
        pass

    @profiler.profile
    def after() -> None:
        pass

    @profiler.profile
    def root() -> int:
        before()
        child = os.fork()
        after()
        return child

    child = root()
    if child == 0:
        os.write(writing, ",".join(recorder.methods()).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        found = pipe.read().split(",")
    os.waitpid(child, 0)
    return found


@difference("O09", upstream=True, ours=False)
def logging_without_standard_output() -> Any:
    own = logging.getLogger("PHANOS")
    handlers, own.handlers = own.handlers, []
    errors = io.StringIO()
    try:
        with contextlib.redirect_stdout(None), contextlib.redirect_stderr(errors):
            profiler, _ = configured()
            profiler.add_handler(publisher.LoggerHandler("log"))
            profiler.profile(configured)()
    finally:
        own.handlers = handlers
    return "profiler: " in errors.getvalue()


@difference("O10", upstream=[4, 4], ours=[0, 0])
def lines_of_a_call_at_debug() -> Any:
    lines: list[str] = []

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    logger = logging.getLogger("lines of a call")
    logger.setLevel(logging.DEBUG)
    logger.addHandler(Lines())
    profiler = publisher.Profiler()
    profiler.config(logger=logger, job="JOB")
    profiler.add_handler(publisher.StreamHandler("stream", io.StringIO()))
    call = profiler.profile(configured)
    found: list[int] = []
    for _ in range(2):
        lines.clear()
        call()
        found.append(len(lines))
    return found
