"""Raw numbers of the benchmarks, as they are kept."""

from __future__ import annotations

from pathlib import Path

from bench_samples import result
from costs.results import from_json, newest, path_of, to_json


def test_what_is_kept_comes_back():
    kept = to_json(result())
    assert from_json(kept) == result()
    assert "[20.0, 21.0]" in kept


def test_numbers_keep_six_digits():
    changed = result()
    changed.about["took_s"] = 0.123456789
    changed.calls["new"].rounds[0]["bare_sync"][0] = 12345.678912
    kept = from_json(to_json(changed))
    assert kept.about["took_s"] == 0.123457
    assert kept.calls["new"].rounds[0]["bare_sync"][0] == 12345.7


def test_the_last_result_of_each_version_counts(tmp_path: Path):
    for version, date in (
        ("3.13.0", "2026-01-30T12:00:00+00:00"),
        ("3.11.7", "2026-01-30T12:00:00+00:00"),
        ("3.11.9", "2026-02-01T12:00:00+00:00"),
    ):
        one = result(version, date)
        path_of(one, tmp_path).write_text(to_json(one))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "2026-01-30-cpython-3.11.json",
        "2026-01-30-cpython-3.13.json",
        "2026-02-01-cpython-3.11.json",
    ]
    assert [one.python for one in newest(tmp_path)] == ["3.13.0", "3.11.9"]
