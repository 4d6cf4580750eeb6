"""`TreeHandler`: the tree of calls as text, drawn after each root call or at times."""

from __future__ import annotations

import asyncio
import io
import logging
import re
from typing import Any

import pytest
from phanos import metrics, publisher
from phanos.handlers import TreeHandler
from support import make_profiler, output_of

HERE = __name__


def shape(text: str) -> list[str]:
    """Lines without times, spaces as one."""
    return [" ".join(re.sub(r"[\d.]+ ms( =)?", "", line).split()) for line in text.splitlines()]


def test_a_tree_for_each_root() -> None:
    profiler = make_profiler(TreeHandler("tree", output := io.StringIO()))

    @profiler.profile
    def query() -> None: ...

    @profiler.profile
    def load() -> None:
        query()

    @profiler.profile
    def price() -> None:
        raise ValueError("own")

    @profiler.profile
    def checkout(times: int) -> None:
        for _ in range(times):
            load()
        with pytest.raises(ValueError, match="own"):
            price()

    checkout(40)
    assert shape(output.getvalue()) == [
        f"{HERE}:checkout 1 x",
        "├─ load 40 x repeated 40 times",
        "│ └─ query 40 x repeated 40 times",
        "└─ price 1 x 1 failed",
    ]
    output.truncate(0)
    output.seek(0)
    checkout(1)
    assert shape(output.getvalue()) == [
        f"{HERE}:checkout 1 x",
        "├─ load 1 x",
        "│ └─ query 1 x",
        "└─ price 1 x 1 failed",
    ]


def test_more_records_than_one_batch_has() -> None:
    profiler = make_profiler(TreeHandler("tree", output := io.StringIO(), repeated=1000))

    @profiler.profile
    def leaf() -> None: ...

    @profiler.profile
    def root() -> None:
        for _ in range(250):
            leaf()

    root()
    assert shape(output.getvalue()) == [f"{HERE}:root 1 x", "└─ leaf 250 x"]


def test_other_metrics_are_left_out() -> None:
    profiler = make_profiler(
        TreeHandler("tree", output := io.StringIO()), response_size_profile=True
    )
    profiler.add_metric(counter := metrics.Counter("orders", "JOB", "orders"))

    @profiler.profile
    def root() -> None:
        counter.inc(1)

    root()
    assert shape(output.getvalue()) == [f"{HERE}:root 1 x"]


def test_an_interval_adds_up() -> None:
    tree = TreeHandler("tree", output := io.StringIO(), interval_s=3600)
    profiler = make_profiler(tree)

    @profiler.profile
    def root() -> None: ...

    for _ in range(5):
        root()
    assert output.getvalue() == ""
    tree.draw()
    assert shape(output.getvalue()) == [f"{HERE}:root 5 x"]
    tree.draw()
    assert len(output.getvalue().splitlines()) == 1


def test_what_an_interval_has_counted_is_drawn_at_the_end() -> None:
    output = output_of(
        """
        from phanos import publisher
        profiler = publisher.Profiler()
        profiler.config(job="JOB")
        profiler.add_handler(publisher.TreeHandler("tree", interval_s=3600))

        @profiler.profile
        def root(): ...

        root(), root()
        """
    )
    assert shape(output) == ["__main__:root 2 x"]


def test_to_a_logger(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    profiler = make_profiler(TreeHandler("tree", logger="shop.tree"))

    @profiler.profile
    def root() -> None: ...

    root()
    [(_, level, text)] = [one for one in caplog.record_tuples if one[0] == "shop.tree"]
    assert (level, shape(text)) == (logging.INFO, [f"{HERE}:root 1 x"])


def test_under_asyncio() -> None:
    output = io.StringIO()

    @publisher.Profiler.profile.__get__(profiler := publisher.Profiler())
    async def leaf() -> None:
        await asyncio.sleep(0)

    @profiler.profile
    async def root() -> None:
        await asyncio.gather(leaf(), leaf())

    async def main() -> None:
        await profiler.async_dict_config(
            {
                "job": "JOB",
                "handlers": {
                    "tree": {
                        "class": "phanos.handlers.TreeHandler",
                        "handler_name": "tree",
                        "output": output,
                    }
                },
            }
        )
        await root()

    asyncio.run(main())
    assert shape(output.getvalue()) == [f"{HERE}:root 1 x", "└─ leaf 2 x"]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"output": 5}, TypeError),
        ({"logger": 5}, TypeError),
        ({"output": io.StringIO(), "logger": "shop"}, TypeError),
        ({"interval_s": -1}, ValueError),
        ({"interval_s": "1"}, TypeError),
        ({"repeated": 0}, ValueError),
    ],
)
def test_arguments_are_checked(arguments: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=r"TreeHandler 'tree'|logger|interval_s|repeated"):
        TreeHandler("tree", **arguments)
