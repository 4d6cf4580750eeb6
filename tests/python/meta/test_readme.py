"""The configuration that the README shows does what it says."""

from __future__ import annotations

from pages import programs
from support import output_of

CALL = """
import logging
logging.basicConfig(format="%(name)s %(message)s", level="DEBUG", stream=sys.stdout)
checkout([1, 2])
"""


def test_the_dict_configures() -> None:
    first, second = (program.text for program in programs("README.md"))
    lines = output_of(f"import sys\n{first}\n{second}\n{CALL}").splitlines()
    records = [line for line in lines if line.startswith("shop.profiling ")]
    metrics = [line.split(": ")[1].partition(",")[0] for line in records]
    assert sorted(metrics) == ["response_size", "time_profiler"]
