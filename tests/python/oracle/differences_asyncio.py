"""Differences in asyncio programs and in threads."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from typing import Any

from differences import Recorder, configured, count_nodes, current_path, difference, equip, outcome
from phanos import publisher

DEADLINE_S = 10.0


def asynchronous(*added: Any, **settings: Any) -> tuple[Any, Recorder]:
    """A profiler under `async_config`, and a sync handler that records for it."""
    profiler = publisher.Profiler()
    profiler.async_config(**{"job": "JOB", **settings})
    return profiler, equip(profiler, *added)


class Suspending(publisher.AsyncBaseHandler):
    """Lets other tasks run before it keeps a batch."""

    def __init__(self, handler_name: str) -> None:
        super().__init__(handler_name)
        self.batches: list[tuple[str, list[Any]]] = []
        self.may_go_on = asyncio.Event()
        self.entered = asyncio.Event()

    @classmethod
    async def create(cls, handler_name: str) -> Suspending:
        return cls(handler_name)

    async def handle(self, records: Any, profiler_name: str = "profiler") -> None:
        self.entered.set()
        await asyncio.sleep(0)  # From CPython 3.12 on, `wait_for` does not suspend by itself.
        await asyncio.wait_for(self.may_go_on.wait(), DEADLINE_S)
        self.batches.append((profiler_name, [record["method"] for record in records]))


@difference("A01", upstream=4, ours=0)
def nodes_of_overlapping_tasks() -> Any:
    profiler, _ = configured()

    @profiler.profile
    async def member(turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)

    async def main() -> None:
        await asyncio.gather(*(member(turns) for turns in (5, 4, 3, 2, 1)))

    asyncio.run(main())
    return count_nodes(profiler)


@difference(
    "A02",
    upstream={"before the next root": [], "after it": ["root.late", "other"]},
    ours={"before the next root": ["root.late"], "after it": ["other"]},
)
def task_that_outlives_its_root() -> Any:
    profiler, recorder = configured()

    @profiler.profile
    async def late() -> None:
        await asyncio.sleep(0)

    @profiler.profile
    async def root() -> Any:
        return asyncio.create_task(late())

    @profiler.profile
    async def other() -> None:
        pass

    async def main() -> Any:
        task = await root()
        recorder.batches.clear()
        await task
        before = recorder.methods()
        recorder.batches.clear()
        await other()
        return {"before the next root": before, "after it": recorder.methods()}

    return asyncio.run(main())


@difference("A03", upstream="root.later", ours="root.starter.later")
def task_whose_starter_has_returned() -> Any:
    profiler, _ = configured()
    paths: list[str] = []

    @profiler.profile
    async def early(starter_returned: asyncio.Event) -> None:
        await asyncio.wait_for(starter_returned.wait(), DEADLINE_S)

    @profiler.profile
    async def later() -> None:
        paths.append(current_path(profiler))

    async def task_body(starter_returned: asyncio.Event) -> None:
        await early(starter_returned)
        await later()

    @profiler.profile
    async def starter(starter_returned: asyncio.Event) -> Any:
        task = asyncio.create_task(task_body(starter_returned))
        await asyncio.sleep(0)
        return task

    @profiler.profile
    async def root() -> None:
        starter_returned = asyncio.Event()
        task = await starter(starter_returned)
        starter_returned.set()
        await task

    asyncio.run(root())
    return paths[0]


@difference(
    "A04",
    upstream={"after the roots": [], "after an async root": ["work", "work", "work", "flush"]},
    ours={"after the roots": ["work", "work", "work"], "after an async root": ["flush"]},
)
def sync_roots_of_an_asynchronous_profiler() -> Any:
    profiler, recorder = asynchronous()

    @profiler.profile
    def work() -> None:
        pass

    @profiler.profile
    async def flush() -> None:
        pass

    async def main() -> Any:
        for _ in range(3):
            work()
        # Batches of sync calls are handed over by a task on the loop.
        for _ in range(20):
            await asyncio.sleep(0)
        after_roots = recorder.methods()
        recorder.batches.clear()
        await flush()
        return {"after the roots": after_roots, "after an async root": recorder.methods()}

    return asyncio.run(main())


@difference(
    "A05",
    upstream={"handed over": 102, "waiting": 0},
    ours={"handed over": 3102, "waiting": 0},
)
def thousands_of_sync_calls_in_one_async_root() -> Any:
    profiler, recorder = asynchronous()

    @profiler.profile
    def work() -> None:
        pass

    @profiler.profile
    async def root() -> None:
        for _ in range(3101):
            work()

    async def main() -> Any:
        await root()
        for _ in range(20):
            await asyncio.sleep(0)
        count = len(recorder.methods())
        return {"handed over": count, "waiting": profiler.get_records_count()}

    return asyncio.run(main())


@difference(
    "A06",
    upstream={"response_size": ["first"], "time_profiler": ["first", "second"]},
    ours={"response_size": ["first"], "time_profiler": ["first"]},
)
def metrics_are_taken_together_before_anything_is_awaited() -> Any:
    async def main() -> Any:
        profiler = publisher.Profiler()
        profiler.async_config(job="JOB", response_size_profile=True)
        handler = Suspending("suspending")
        profiler.add_handler(handler)

        @profiler.profile
        async def inner() -> None:
            pass

        @profiler.profile
        async def first() -> None:
            pass

        @profiler.profile
        async def second(started: asyncio.Event, end: asyncio.Event) -> None:
            await inner()
            started.set()
            await end.wait()

        started, end = asyncio.Event(), asyncio.Event()
        one = asyncio.create_task(first())
        await asyncio.wait_for(handler.entered.wait(), DEADLINE_S)
        # The first root's handler waits in the batch of response sizes.
        two = asyncio.create_task(second(started, end))
        await asyncio.wait_for(started.wait(), DEADLINE_S)
        handler.may_go_on.set()
        await asyncio.wait_for(one, DEADLINE_S)
        found = {
            name: [method.partition(":")[2].partition(".")[0] for method in methods]
            for name, methods in handler.batches
        }
        end.set()
        await asyncio.wait_for(two, DEADLINE_S)
        return found

    return asyncio.run(main())


@difference(
    "A07",
    upstream={"caller": "cancelled", "delivered": []},
    ours={"caller": "cancelled", "delivered": ["response_size", "time_profiler"]},
)
def caller_cancelled_while_its_records_are_delivered() -> Any:
    async def main() -> Any:
        profiler = publisher.Profiler()
        profiler.async_config(job="JOB", response_size_profile=True)
        handler = Suspending("suspending")
        profiler.add_handler(handler)

        @profiler.profile
        async def root() -> None:
            pass

        task = asyncio.create_task(root())
        await asyncio.wait_for(handler.entered.wait(), DEADLINE_S)
        task.cancel()
        # A turn of the loop for the cancellation to arrive before the handler goes on.
        await asyncio.sleep(0)
        handler.may_go_on.set()
        await asyncio.wait([task], timeout=DEADLINE_S)
        for _ in range(20):
            await asyncio.sleep(0)
        return {
            "caller": "cancelled" if task.cancelled() else "returned",
            "delivered": [name for name, _ in handler.batches],
        }

    return asyncio.run(main())


@difference("A08", upstream=["recorded", "body"], ours=["body", "recorded"])
def asynchronous_generator() -> Any:
    events: list[str] = []
    profiler, _ = configured()
    profiler.after_func = lambda result, args, kwargs: events.append("recorded")

    @profiler.profile
    async def numbers() -> Any:
        events.append("body")
        yield 1

    async def main() -> None:
        async for _ in numbers():
            pass

    asyncio.run(main())
    return events


@difference("A09", upstream=[1, ["inner", "outer"]], ours=[0, ["inner", "outer"]])
def root_of_another_thread() -> Any:
    profiler, recorder = configured()

    @profiler.profile
    def inner() -> None:
        pass

    @profiler.profile
    def outer() -> None:
        thread = threading.Thread(target=inner)
        thread.start()
        thread.join(DEADLINE_S)

    outer()
    return [count_nodes(profiler), recorder.methods()]


@difference(
    "A10",
    upstream=["sync size", "async size", "sync time", "async time"],
    ours=["sync size", "sync time", "async size", "async time"],
)
def sync_handlers_beside_async_ones() -> Any:
    events: list[str] = []
    metric_names = {publisher.RESPONSE_SIZE: "size", publisher.TIME_PROFILER: "time"}

    class Sync(publisher.SyncBaseHandler):
        def handle(self, records: Any, profiler_name: str = "profiler") -> None:
            events.append(f"sync {metric_names[profiler_name]}")

    class Async(publisher.AsyncBaseHandler):
        @classmethod
        async def create(cls, handler_name: str) -> Async:
            return cls(handler_name)

        async def handle(self, records: Any, profiler_name: str = "profiler") -> None:
            events.append(f"async {metric_names[profiler_name]}")

    profiler = publisher.Profiler()
    profiler.async_config(job="JOB", response_size_profile=True)
    profiler.add_handler(Sync("sync"))
    profiler.add_handler(Async("async"))

    @profiler.profile
    async def root() -> None:
        pass

    asyncio.run(root())
    return events


@difference(
    "A11",
    upstream={"close": "RuntimeError", "path": "closed", "delivered": []},
    ours={"close": "returned", "path": "", "delivered": ["closed", "other"]},
)
def closing_a_suspended_coroutine() -> Any:
    async def main() -> Any:
        profiler = publisher.Profiler()
        profiler.async_config(job="JOB")
        handler = Suspending("suspending")
        handler.may_go_on.set()
        profiler.add_handler(handler)

        @profiler.profile
        async def closed() -> None:
            await asyncio.sleep(0)

        @profiler.profile
        async def other() -> None:
            pass

        coroutine = closed()
        coroutine.send(None)
        found: dict[str, Any] = {"close": outcome(coroutine.close), "path": current_path(profiler)}
        if found["close"] == "returned":
            await other()
        methods = [method for _, batch in handler.batches for method in batch]
        found["delivered"] = [method.partition(":")[2] for method in methods]
        return found

    return asyncio.run(main())


@difference("A12", upstream="waits", ours="ends")
def cancelled_call_beside_a_handler_that_waits() -> Any:
    async def main() -> Any:
        profiler = publisher.Profiler()
        profiler.async_config(job="JOB")
        handler = Suspending("suspending")
        profiler.add_handler(handler)

        @profiler.profile
        async def root() -> None:
            await asyncio.Event().wait()

        task = asyncio.create_task(root())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait_for(handler.entered.wait(), DEADLINE_S)
        for _ in range(20):
            await asyncio.sleep(0)
        ended = "ends" if task.done() else "waits"
        handler.may_go_on.set()
        await asyncio.wait([task], timeout=DEADLINE_S)
        return ended

    return asyncio.run(main())


@difference("A13", upstream="of the root", ours="none")
def context_of_a_handler_of_sync_calls() -> Any:
    request: contextvars.ContextVar[str] = contextvars.ContextVar("request", default="none")
    seen: dict[str, str] = {}

    class Looking(Suspending):
        async def handle(self, records: Any, profiler_name: str = "profiler") -> None:
            for record in records:
                seen[record["method"].partition(":")[2]] = request.get()

    async def main() -> Any:
        profiler = publisher.Profiler()
        profiler.async_config(job="JOB")
        profiler.add_handler(Looking("looking"))

        @profiler.profile
        def work() -> None:
            pass

        @profiler.profile
        async def root() -> None:
            request.set("of the root")

        work()
        await root()
        return seen["work"]

    return asyncio.run(main())


@difference("A14", upstream="inside itself", ours="one after the other")
def handler_that_makes_profiled_calls_without_asyncio() -> Any:
    calls: list[str] = []

    class Calling(Suspending):
        async def handle(self, records: Any, profiler_name: str = "profiler") -> None:
            calls.append("begins")
            if len(calls) == 1:
                profiler.curr_node.set(profiler.tree.root)
                await helper()
            calls.append("ends")

    profiler = publisher.Profiler()
    profiler.async_config(job="JOB")

    @profiler.profile
    async def helper() -> None:
        pass

    @profiler.profile
    async def root() -> None:
        pass

    async def main() -> None:
        profiler.add_handler(Calling("calling"))
        await root()

    # By hand: no loop runs.
    with contextlib.suppress(StopIteration):
        main().send(None)
    nested = calls[:2] == ["begins", "begins"]
    return "inside itself" if nested else "one after the other"
