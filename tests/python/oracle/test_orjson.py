"""JSON of values, byte for byte what orjson writes; what it refuses is valid JSON all the same."""

from __future__ import annotations

import datetime
import functools
import json
import pickle
import random
import struct
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import json_subjects
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from interpreters import DEADLINE_S, FOLDER, upstream_python
from json_subjects import CASES, Data, Number, OwnInt, OwnStr, Plain, Slotted, Text, Zone
from phanos import metrics
from phanos._phanos import records_to_json, waiting_to_json

FLOATS = 200_000
REFUSED = {
    "large",
    "small",
    "own large int",
    "own float",
    "own tuple",
    "named tuple",
    "surrogate",
    "surrogate key",
    "enum <Plain.REFUSED: 1j>",
    "dataclass subclass",
    "dataclass of the refused",
    "class",
    "time with zone",
    "timedelta",
    "own datetime",
    "own uuid",
    "bytes",
    "bytearray",
    "set",
    "complex",
    "range",
    "deque",
    *(name for name in CASES if name.startswith("key ")),
}

# orjson counts tuples as levels and does not look whether there are too many: its counter
# overflows, and so does its stack.
BEYOND_ITS_LIMIT = {name for name in CASES if name.startswith(("tuple 254 deep", "tuple 255 deep"))}


@functools.cache
def orjson_process() -> subprocess.Popen[bytes]:
    """A process that has orjson; one for all questions of this file."""
    command = [upstream_python(), str(FOLDER / "orjson_bytes.py")]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


@pytest.fixture(scope="module", autouse=True)
def end_of_process() -> Iterator[None]:
    """End the process after the last test, if one was started."""
    yield
    if orjson_process.cache_info().currsize:
        process = orjson_process()
        orjson_process.cache_clear()
        process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 0


def orjson_dumps(values: list[Any] | None) -> list[bytes | None]:
    """
    What orjson makes of each value in a list of its own; None where it refuses.

    Without values: what it makes of the `CASES`.
    """
    process = orjson_process()
    assert process.stdin is not None
    assert process.stdout is not None
    # Without an answer in time it ends, and so does the reading of its output.
    deadline = threading.Timer(DEADLINE_S, process.kill)
    deadline.start()
    try:
        pickle.dump(values, process.stdin, 4)
        process.stdin.flush()
        answer: list[bytes | None] = pickle.load(process.stdout)
    finally:
        deadline.cancel()
    return answer


@pytest.fixture(scope="module")
def expected() -> dict[str, bytes | None]:
    return dict(zip(CASES, orjson_dumps(None), strict=True))


@pytest.mark.parametrize("name", CASES)
def test_value(name: str, expected: dict[str, bytes | None]) -> None:
    ours = records_to_json([CASES[name]])
    if expected[name] is None or name in BEYOND_ITS_LIMIT:
        json.loads(ours)
    else:
        assert ours == expected[name]


def test_orjson_refuses_what_is_expected(expected: dict[str, bytes | None]) -> None:
    refused = {name for name, written in expected.items() if written is None}
    deep = {name for name in refused if " deep around " in name}
    assert refused - deep == REFUSED
    assert deep
    assert all(name.startswith(tuple(json_subjects.WRAPS)) for name in deep)


def test_floats_of_random_bits() -> None:
    bits = random.Random(20).randbytes(8 * FLOATS)
    numbers = list(struct.unpack(f"{FLOATS}d", bits))
    [written] = orjson_dumps([numbers])
    assert records_to_json([numbers]) == written


def test_floats_of_every_size() -> None:
    source = random.Random(21)
    numbers = [source.uniform(-1, 1) * 10.0 ** source.randint(-12, 25) for _ in range(FLOATS // 2)]
    numbers += [round(number, source.randint(0, 4)) for number in numbers]
    numbers += [float(10**exponent) for exponent in range(30)]
    numbers += [1 / 10**exponent for exponent in range(30)]
    [written] = orjson_dumps([numbers])
    assert records_to_json([numbers]) == written


OFFSETS = st.timedeltas(
    min_value=datetime.timedelta(seconds=-86_399), max_value=datetime.timedelta(seconds=86_399)
)
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=12)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**66), 2**66),
    st.integers(-1000, 1000).map(OwnInt),
    st.floats(),
    st.text(max_size=12),
    ANY_TEXT,
    st.text(max_size=5).map(OwnStr),
    st.datetimes(),
    st.datetimes(timezones=OFFSETS.map(datetime.timezone)),
    st.datetimes(timezones=OFFSETS.map(lambda delta: Zone(delta.days, delta.seconds))),
    st.dates(),
    st.times(),
    st.uuids(),
    st.sampled_from([*Plain, Number.ONE, Text.LETTER]),
    st.decimals(allow_nan=False),
    st.binary(max_size=3),
)
KEYS = st.one_of(st.text(max_size=6), st.text(max_size=6), st.text(max_size=6), st.integers())


def containers(inside: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(inside, max_size=4),
        st.lists(inside, max_size=4).map(tuple),
        st.dictionaries(st.text(max_size=6), inside, max_size=4),
        st.dictionaries(KEYS, inside, max_size=3),
        st.builds(Data, inside, inside),
        st.builds(Slotted, inside, inside, st.just(0)),
    )


VALUES = st.recursive(SCALARS, containers, max_leaves=12)
SEARCH = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@SEARCH
@given(st.lists(VALUES, min_size=20, max_size=60))
def test_generated_values(values: list[Any]) -> None:
    for value, written in zip(values, orjson_dumps(values), strict=True):
        ours = records_to_json([value])
        if written is None:
            json.loads(ours)
        else:
            assert ours == written


@SEARCH
@given(
    st.lists(
        st.tuples(
            st.one_of(st.tuples(st.sampled_from(["info", 'q"\\']), VALUES), VALUES),
            st.one_of(st.dictionaries(KEYS, VALUES, max_size=3), SCALARS),
            st.one_of(st.text(max_size=8), st.sampled_from(["A:b", "A:b.c:d"]), SCALARS),
        ),
        min_size=1,
        max_size=10,
    ),
    st.tuples(SCALARS, SCALARS, SCALARS),
)
def test_columns_become_what_their_dicts_become(
    rows: list[tuple[Any, Any, Any]], head: tuple[Any, Any, Any]
) -> None:
    metric = metrics.Info("info", "JOB")
    metric.metric, metric.units, metric.job = head
    metric.values = [row[0] for row in rows]  # type: ignore[assignment]
    metric.label_values = [row[1] for row in rows]  # type: ignore[assignment]
    metric.method = [row[2] for row in rows]  # type: ignore[assignment]
    records = metric.to_records()
    ours = waiting_to_json(metric)
    assert ours == records_to_json(records)
    assert len(json.loads(ours)) == len(rows)
    [written] = orjson_dumps([records])
    assert written in (None, b"[" + ours + b"]")
