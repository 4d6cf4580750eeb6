"""The configuration that the README shows does what it says."""

from __future__ import annotations

from pages import programs
from support import output_of


def test_the_dict_configures() -> None:
    first, second = (program.text for program in programs("README.md"))
    before = output_of(first).splitlines()
    lines = output_of(f"{first}\n{second}\ncheckout([1, 2])").splitlines()[len(before) :]
    records = [line for line in lines if line.startswith("profiler: ")]
    metrics = [line.split(": ")[1].partition(",")[0] for line in records]
    assert sorted(metrics) == ["response_size", "time_profiler"]
    [tree] = [line for line in lines if line not in records]
    assert tree.startswith("__main__:checkout ")
    assert " 1 x " in tree
