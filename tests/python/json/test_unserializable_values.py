"""What JSON cannot hold: sent as text, logged once, and never a reason to lose a batch."""

from __future__ import annotations

import collections
import datetime
import decimal
import json
from typing import Any

import pytest
from captured_logs import fresh_name, warnings
from phanos import metrics
from phanos._phanos import record_to_str, records_to_json, waiting_to_json

DEEPEST = 254


def sent(value: Any) -> Any:
    """What a consumer reads where `value` was."""
    [answer] = json.loads(records_to_json([value]))
    return answer


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (2**64, "18446744073709551616"),
        (-(2**63) - 1, "-9223372036854775809"),
        (decimal.Decimal("1.50"), "1.50"),
        (b"a", "b'a'"),
        ({1}, "{1}"),
        (1j, "1j"),
        (datetime.timedelta(1), "1 day, 0:00:00"),
        ("a\udc80ž", "a\\udc80ž"),
        ({1: "a", None: "b", False: "c"}, {"1": "a", "None": "b", "False": "c"}),
        ({(1, 2): {3: 4}}, {"(1, 2)": {"3": 4}}),
        ([1, {"k": ({2}, "x")}], [1, {"k": ["{2}", "x"]}]),
    ],
)
def test_only_the_part_that_is_refused_becomes_text(value: Any, expected: Any) -> None:
    assert sent(value) == expected


def test_an_int_without_end_stops_nothing() -> None:
    # Some interpreters refuse to turn it into digits.
    number = 10**5000
    assert sent(number) in ("<int without text>", "1" + "0" * 5000)


def odd_class(**members: Any) -> type:
    """A class that no test used before, so that nothing was told of it."""
    return type(fresh_name("Odd"), (), members)


def test_a_kind_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    odd, other = odd_class(), odd_class()
    for _ in range(3):
        records_to_json([{"a": odd()}] * 100 + [[odd(), other()]])
    assert [line.split(":")[0] for line in warnings(caplog)] == [
        f"JSON cannot hold values of type {odd.__module__}.{odd.__name__}",
        f"JSON cannot hold values of type {other.__module__}.{other.__name__}",
    ]


def test_keys_are_a_kind_of_their_own(caplog: pytest.LogCaptureFixture) -> None:
    odd = odd_class(__str__=lambda self: "key")
    assert sent({odd(): 1}) == {"key": 1}
    [line] = warnings(caplog)
    assert f"dict keys of type {odd.__module__}.{odd.__name__}" in line


class OwnLogger:
    """Keeps what it is told, or raises."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error
        self.lines: list[str] = []

    def warning(self, message: str, *args: Any) -> None:
        if self.error is not None:
            raise self.error
        self.lines.append(message % args)


def test_the_logger_of_whoever_sends_is_told(caplog: pytest.LogCaptureFixture) -> None:
    odd = odd_class()
    logger = OwnLogger()
    records_to_json([odd()], logger)  # type: ignore[arg-type]
    [line] = logger.lines
    assert odd.__name__ in line
    assert warnings(caplog) == []


def test_a_logger_that_raises_does_no_harm() -> None:
    written = records_to_json([odd_class(__str__=lambda self: "x")()], OwnLogger(ValueError()))  # type: ignore[arg-type]
    assert written == b'["x"]'


def test_an_interrupt_in_a_logger_goes_on() -> None:
    with pytest.raises(KeyboardInterrupt):
        records_to_json([odd_class()()], OwnLogger(KeyboardInterrupt()))  # type: ignore[arg-type]


def test_a_metric_tells_of_its_columns_and_of_its_own_attributes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    odd, unit = odd_class(), odd_class()
    metric = metrics.Info(fresh_name("info"), "JOB")
    metric.units = unit()
    metric.info_({"a": odd()}, None, None)
    waiting_to_json(metric)
    lines = warnings(caplog)
    assert len(lines) == 2
    assert unit.__name__ in lines[0]
    assert odd.__name__ in lines[1]
    waiting_to_json(metric)
    assert warnings(caplog) == lines


def test_text_tells_nothing(caplog: pytest.LogCaptureFixture) -> None:
    odd = odd_class(__str__=lambda self: "shown")
    record = {"method": "m", "value": ("info", {"a": 1}), "units": odd(), "labels": {"l": odd()}}
    line = record_to_str("info", record)  # type: ignore[arg-type]
    assert line == "profiler: info, method: m, value: {'a': 1} shown, labels: l=shown"
    assert warnings(caplog) == []


def test_containers_within_themselves_become_text() -> None:
    endless: list[Any] = [1]
    endless.append(endless)
    assert sent(endless) == [1, "[1, [...]]"]
    looped: dict[str, Any] = {}
    looped["list"] = [looped, looped]
    assert sent(looped) == {"list": ["{'list': [{...}, {...}]}"] * 2}


def test_a_container_may_stand_twice_side_by_side() -> None:
    shared = [1]
    assert sent([shared, {"a": shared}, (shared,)]) == [[1], {"a": [1]}, [[1]]]


@pytest.mark.parametrize("levels", [DEEPEST - 1, DEEPEST, DEEPEST + 100])
def test_what_is_too_deep_becomes_text(levels: int) -> None:
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    answer = sent(value)
    for _ in range(min(levels, DEEPEST - 1)):
        [answer] = answer
    below = levels - (DEEPEST - 1)
    assert answer == ("x" if below == 0 else "[" * below + "'x'" + "]" * below)


@pytest.mark.parametrize("wrap", [lambda value: [value], lambda value: {"k": value}])
def test_depth_has_no_end(wrap: Any) -> None:
    value: Any = None
    for _ in range(50_000):
        value = wrap(value)
    answer = sent(value)
    for _ in range(DEEPEST - 1):
        [answer] = answer if isinstance(answer, list) else answer.values()
    assert answer == f"<{type(value).__name__} without text>"
    # Taken apart step by step: an older interpreter recurses where it drops such a value.
    while value is not None:
        [value] = value if isinstance(value, list) else value.values()


def test_values_that_are_exponentially_long_come_to_an_end() -> None:
    doubled: Any = [None]
    for _ in range(80):
        doubled = [doubled, doubled]
    written = records_to_json([doubled])
    assert b'"<list without text>"' in written


def test_containers_that_all_hold_each_other_come_to_an_end() -> None:
    tangle: list[list[Any]] = [[] for _ in range(14)]
    for member in tangle:
        member.extend(tangle)
    written = records_to_json([tangle])
    assert b'"<list without text>"' in written
    assert written.endswith(b"]]")


def test_many_small_parts_that_are_refused_keep_their_text() -> None:
    pair = collections.namedtuple("pair", "x y")
    assert sent([pair(1, 2)] * 20_000) == ["pair(x=1, y=2)"] * 20_000
