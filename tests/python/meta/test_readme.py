"""What the README shows works as shown."""

from __future__ import annotations

import re

from readme_programs import blocks
from support import output_of

CALL = """
import logging
logging.basicConfig(format="%(name)s %(message)s", level="DEBUG", stream=sys.stdout)
checkout([1, 2])
"""


def test_the_first_program_prints_what_is_written_below_it() -> None:
    program, _, expected = blocks()[0].rpartition("\n# ")
    pattern = re.escape(expected.rstrip()).replace(r"0\.0", r"\d+\.\d+")
    assert re.fullmatch(pattern, output_of(program).rstrip("\n"))


def test_the_dict_configures() -> None:
    first, second = blocks()[:2]
    lines = output_of(f"import sys\n{first}\n{second}\n{CALL}").splitlines()
    records = [line for line in lines if line.startswith("shop.profiling ")]
    metrics = [line.split(": ")[1].partition(",")[0] for line in records]
    assert sorted(metrics) == ["response_size", "time_profiler"]
