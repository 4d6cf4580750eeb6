"""The garbage collector in the middle of everything: no crash, nothing lost."""

from __future__ import annotations

from support import run_python


def test_the_collector_may_run_anywhere() -> None:
    # In a process of its own: what goes wrong here is a crash.
    done = run_python(
        """
        import asyncio, faulthandler, gc, random, sys
        faulthandler.enable()
        chosen, kept = random.Random(5), []
        from phanos.metrics import Counter
        from support import (
            HOOK_NAMES, AsyncCollectingHandler, CollectingHandler, assert_tree_at_rest,
            make_profiler,
        )

        async def slowly(records, name):
            await asyncio.sleep(0)

        handler = CollectingHandler()
        profiler = make_profiler(handler, AsyncCollectingHandler(on_handle=slowly))
        counter = Counter("events", "TEST", "events", {"label"})
        profiler.add_metric(counter)
        for name in HOOK_NAMES:
            setattr(profiler, name, lambda *arguments: [{} for _ in range(3)])
        finalized_count = 0

        @profiler.profile
        def finalized():
            counter.inc(1, {"label": "from a finalizer"})

        class CallsBack:
            # Part of a cycle, so the collector decides when the metric is used.
            def __init__(self):
                self.me = self

            def __del__(self):
                global finalized_count
                finalized_count += 1
                # Up to 3.11 the collector may run inside `ContextVar.set`, and the
                # interpreter crashes if a finalizer then sets a variable, as a call does.
                if sys.version_info >= (3, 12):
                    finalized()
                else:
                    counter.inc(1, {"label": "from a finalizer"})

        @profiler.profile
        def leaf():
            CallsBack()
            # Shifts the collector's count, so that it runs in other places each time, and
            # empties the interpreter's free lists: what comes from there does not count.
            kept.extend(({}, []) for _ in range(chosen.randrange(40)))
            counter.inc(1, {"label": "from the call"})
            return [{} for _ in range(3)]

        @profiler.profile
        def numbers():
            yield leaf()
            yield leaf()

        @profiler.profile
        async def async_numbers():
            yield leaf()
            await asyncio.sleep(0)
            yield leaf()

        @profiler.profile
        async def async_leaf():
            leaf()
            await asyncio.sleep(0)
            leaf()

        @profiler.profile
        async def outer():
            leaf()
            list(numbers())
            next(numbers())
            async for _ in async_numbers():
                pass
            await asyncio.gather(async_leaf(), async_leaf())

        @profiler.profile
        def fails():
            leaf()
            raise KeyError

        async def main():
            for threshold in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10):
                gc.set_threshold(threshold)
                await asyncio.gather(*(outer() for _ in range(3)))
                try:
                    fails()
                except KeyError:
                    pass
            await profiler.aflush()

        asyncio.run(main())

        @profiler.profile
        def made_anew():
            return leaf()

        made_anew()
        gc.set_threshold(700)
        gc.collect()
        profiler.flush()
        labels = [record["labels"]["label"] for record in handler.of_metric("events")]
        # Each `outer` makes 10 calls of `leaf`, each `fails` and `made_anew` one.
        assert labels.count("from the call") == 30 * 10 + 10 + 1, len(labels)
        assert labels.count("from a finalizer") == finalized_count == 311, finalized_count
        times = handler.counts("time_profiler")
        leaves = sum(count for path, count in times.items() if path.endswith(".leaf"))
        assert leaves == 311, times
        if sys.version_info >= (3, 12):
            ended = sum(count for path, count in times.items() if path.endswith("finalized"))
            assert ended == 311, times
        assert_tree_at_rest(profiler)
        print("done")
        """
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr[-3000:]


def test_the_collector_may_run_while_a_node_is_made() -> None:
    done = run_python(
        """
        import asyncio, faulthandler, gc
        faulthandler.enable()
        from support import CollectingHandler, assert_tree_at_rest, drive, make_profiler

        handler = CollectingHandler()
        profiler = make_profiler(handler)

        @profiler.profile
        def leaf():
            # As many as the free lists hold, so that the next ones are allocated anew.
            return [({}, []) for _ in range(100)]

        @profiler.profile
        def numbers():
            leaf()
            yield leaf()

        @profiler.profile
        async def async_leaf():
            return leaf()

        @profiler.profile
        async def async_numbers():
            yield await async_leaf()

        @profiler.profile
        def outer():
            return leaf(), list(numbers())

        @profiler.profile
        async def async_outer():
            return await async_leaf(), leaf(), [each async for each in async_numbers()]

        for threshold in range(1, 12):
            gc.set_threshold(threshold)
            for _ in range(20):
                kept = outer()
                kept = drive(async_outer())
        gc.set_threshold(700)
        counts = {path.rpartition(".")[2]: 0 for path in handler.counts()}
        for path, count in handler.counts().items():
            counts[path.rpartition(".")[2]] += count
        assert counts == {
            "__main__:outer": 220, "__main__:async_outer": 220, "numbers": 220,
            "async_numbers": 220, "async_leaf": 440, "leaf": 1320,
        }, counts
        assert_tree_at_rest(profiler)
        print("done")
        """
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr[-3000:]
