"""Up to CPython 3.11 the collector runs inside `ContextVar.set`; elsewhere these tests are easy."""

from __future__ import annotations

from support import output_of


def test_a_coroutine_that_the_collector_closes_leaves_the_context_alone() -> None:
    printed = output_of(
        """
        import contextvars, types
        import phanos

        phanos.profiler.config(job="J")
        phanos.profiler.add_handler(phanos.publisher.NamedLoggerHandler("silent", "silent"))

        @types.coroutine
        def pause():
            yield

        @phanos.profile
        async def waits(cell):
            await pause()

        def abandon():
            cell = []
            coroutine = waits(cell)
            cell.append(coroutine)
            coroutine.send(None)

        variables = [contextvars.ContextVar(str(number)) for number in range(3000)]
        for variable in variables:
            variable.set(0)
        for number in range(40000):
            if number % 5 == 0:
                # Each in a context of its own: paths do not grow.
                contextvars.copy_context().run(abandon)
                abandon() if number % 1000 == 0 else None
            variables[number * 7 % 3000].set(number)
        print("done")
        """
    )
    assert printed == "done\n"


def test_calls_of_a_finalizer_are_below_it() -> None:
    printed = output_of(
        """
        import gc
        import phanos
        from support import CollectingHandler, make_profiler

        handler = CollectingHandler()
        profiler = make_profiler(handler)

        @profiler.profile
        def inner():
            return None

        @profiler.profile
        def cleanup():
            inner()

        class Ring:
            def __init__(self):
                self.ring = self

            def __del__(self):
                cleanup()

        @profiler.profile
        def work():
            Ring()
            gc.collect()

        work()
        print(*sorted(handler.methods()), profiler.curr_node.get() is profiler.tree.root)
        """
    )
    assert printed.split() == [
        "__main__:work",
        "__main__:work.cleanup",
        "__main__:work.cleanup.inner",
        "True",
    ]
