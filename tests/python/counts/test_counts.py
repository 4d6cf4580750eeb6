"""A profiled call takes no more instructions than were accepted."""

from __future__ import annotations

import pytest

from . import accepted
from .callgrind import Count
from .cases import PLAIN, PROFILED
from .growth_cases import GROWTH

GROWTH_MAX = 1.1


@pytest.mark.parametrize("name", PROFILED)
def test_no_more_than_accepted(
    name: str, counts: dict[str, Count], capsys: pytest.CaptureFixture[str]
) -> None:
    now, known = accepted.of(counts)[name], accepted.load()
    assert accepted.risen(name, now, known) is None
    hint = accepted.fallen(name, now, known)
    if hint is not None:
        with capsys.disabled():
            print(f"\n{hint}")


def test_our_instructions_are_told_from_others(counts: dict[str, Count]) -> None:
    for name in PLAIN:
        assert counts[name].ours == 0
        assert counts[name].total > 100
    idle, nested, root = (
        counts[name] for name in ("idle, sync", "nested, sync", "root, StreamHandler")
    )
    assert 10 < idle.ours < nested.ours < root.ours
    assert all(one.ours < one.total for one in (idle, nested, root))


@pytest.mark.parametrize("name", GROWTH)
def test_the_same_beside_much_as_beside_little(name: str, growth_counts: dict[str, Count]) -> None:
    ours = [growth_counts[f"{name}={size}"].ours for size in GROWTH[name].sizes]
    assert ours[0] > 10
    assert max(ours) < GROWTH_MAX * ours[0], dict(zip(GROWTH[name].sizes, ours, strict=True))
