"""
Literals for generated programs: what profiled functions pass, return, raise and measure.

Every value is Python source text. Sizes of returned values are the same on each supported
interpreter, so that `response_size` can be compared between two of them.
"""

from __future__ import annotations

import random

GOOD_FLOATS = (
    "0.0", "-0.0", "1.0", "1.5", "0.1", "1e-07", "1e16", "1e22", "5e-324", "1.7976931348623157e308",
    "123456789.123", "2.5e-05", "float('inf')", "float('nan')", "100.0",
    "0.30000000000000004", "226013656124712.125",
)  # fmt: skip
NEGATIVE_FLOATS = ("-1.0", "-0.25", "-1e-09", "float('-inf')")
NOT_NUMBERS = (
    "'text'",
    "'1.5'",
    "None",
    "True",
    "False",
    "[1.5]",
    "(1.5,)",
    "{'value': 1.5}",
    "b'1'",
    "1.5j",
)
INFO_VALUES = (
    "{}", "{'version': '1.2'}", "{'a': 1, 'b': None, 'c': [1, 2.5, 'x']}", "{1: 2, None: 'key'}",
    "{'nested': {'deep': {'deeper': True}}}", "{'text': 'ěščř \\U0001f600', 'quote': \"it's\"}",
)  # fmt: skip
NOT_DICTS = ("'text'", "None", "1.5", "[('a', 1)]", "True", "{'a', 'b'}")
# What the own operation of a custom metric stores; it refuses a negative one and skips zero.
WEIGHTS = ("1", "2.5", "'heavy'", "None", "(1, 'kg')")
REFUSED_WEIGHTS = ("-1", "-0.5", "0", "0.0")
STATES = ("idle", "busy", "ěšč", "two words", "")
NOT_STATES = ("'absent'", "None", "1.5", "True", "('idle',)", "b'idle'")
LABEL_NAMES = ("path", "user", "zone", "état", "a b")
LABEL_VALUES = (
    "'x'", "''", "'two words'", "'a=b, c=d'", "'ěšč'", "'\\U0001f600'", "7", "2.5", "None", "True",
    "'tab\\there'", "'quote\"s'", "(1, 'x')", "b'bytes'",
)  # fmt: skip
RETURNED = (
    "None", "7", "2.5", "True", "()", "(1, 2)", "(1, (2, 3), 'x')", "b'abcdef'", "1 << 40",
    "Sized(0)", "Sized(1000)", "Sized(123456)", "1.5j",
)  # fmt: skip
ARGUMENTS = ("1", "-3", "2.5", "'text'", "None", "(1, 2)", "[1, 'two']", "{'k': 1}", "True", "b'b'")

# What any code may raise; the last group cannot leave an asyncio task without ending its loop.
ERRORS = ("ValueError", "KeyError", "ZeroDivisionError", "LookupError", "OwnError", "Exception")
SILENT_ERRORS = ("asyncio.CancelledError",)
LOOP_ENDING_ERRORS = (
    "KeyboardInterrupt",
    "SystemExit",
    "GeneratorExit",
    "BaseException",
    "OwnBaseError",
)
# Coroutines turn a StopIteration into a RuntimeError, so it is raised by functions only.
SYNC_ERRORS = ("StopIteration",)

OPERATIONS: dict[str, tuple[str, ...]] = {
    "Histogram": ("observe",),
    "Summary": ("observe",),
    "Counter": ("inc",),
    "Gauge": ("inc", "dec", "set"),
    "Info": ("info_",),
    "Enum": ("state",),
    "TimeProfiler": ("stop",),
    "ResponseSize": ("rec",),
    "AccumulatingCounter": ("accumulate", "inc"),
    "ReversedGauge": ("set",),
    "WeighingGauge": ("weigh",),
}
ALWAYS_ACCEPTED = {
    ("TimeProfiler", "stop"),
    ("ResponseSize", "rec"),
    ("AccumulatingCounter", "accumulate"),
}
NOT_NEGATIVE = {
    ("Counter", "inc"), ("Gauge", "inc"), ("Gauge", "dec"), ("AccumulatingCounter", "inc"),
}  # fmt: skip


def any_float(rng: random.Random) -> str:
    """A finite or infinite float >= 0, often one whose shortest text form is hard to find."""
    if rng.random() < 0.5:
        return rng.choice(GOOD_FLOATS)
    return repr(rng.uniform(0, 1) * 10.0 ** rng.randint(-12, 20))


def operation_value(
    rng: random.Random, metric_class: str, operation: str, states: list[str]
) -> tuple[str, bool]:
    """Source of a value for `operation` and whether the operation accepts it."""
    good = rng.random() < 0.7
    if metric_class == "Info":
        return rng.choice(INFO_VALUES if good else NOT_DICTS), good
    if metric_class == "Enum":
        return (repr(rng.choice(states)), True) if good else (rng.choice(NOT_STATES), False)
    if metric_class == "TimeProfiler":
        return "datetime.datetime.now()", True
    if metric_class == "ResponseSize":
        return rng.choice(RETURNED), True
    if metric_class == "AccumulatingCounter" and operation == "accumulate":
        return rng.choice(("1.0", "0.5", "2.25")), True
    if metric_class == "WeighingGauge":
        return rng.choice(WEIGHTS if good else REFUSED_WEIGHTS), good
    if good:
        value = any_float(rng)
        negate = (metric_class, operation) not in NOT_NEGATIVE and rng.random() < 0.3
        return (rng.choice(NEGATIVE_FLOATS) if negate else value), True
    if (metric_class, operation) in NOT_NEGATIVE and rng.random() < 0.5:
        return rng.choice(NEGATIVE_FLOATS), False
    return rng.choice(NOT_NUMBERS), False


def label_source(rng: random.Random, names: list[str]) -> tuple[str | None, str]:
    """
    Source of a `label_values` argument (None: leave it out) and what it is.

    Kinds: good, missing (a label too few), extra (one too many), renamed (a wrong name), absent
    (no dict at all), reserved (`error_raised` given by the caller, which is overwritten).
    """
    kind = rng.choices(
        ("good", "missing", "extra", "renamed", "absent", "reserved"), (78, 5, 5, 4, 3, 5)
    )[0]
    if kind in ("missing", "renamed") and not names:
        kind = "extra"
    given = list(names)
    rng.shuffle(given)
    if kind == "absent" or (kind == "good" and not names and rng.random() < 0.6):
        return rng.choice((None, "None")), "absent" if names else "good"
    if kind == "missing":
        given.pop()
    elif kind == "extra":
        given.append("surplus")
    elif kind == "renamed":
        given[0] = "other"
    elif kind == "reserved":
        given.insert(rng.randint(0, len(given)), "error_raised")
    entries = [f"{name!r}: {_label_value(rng)}" for name in given]
    return "{" + ", ".join(entries) + "}", kind


def _label_value(rng: random.Random) -> str:
    return rng.choice(LABEL_VALUES)
