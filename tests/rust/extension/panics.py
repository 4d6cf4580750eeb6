"""What goes on while a boundary panics, run by `panics.rs` with the extension under test."""

import asyncio
import logging
import sys

import phanos
from phanos.publisher import (
    AsyncBaseHandler,
    AsyncImpProfHandler,
    ImpProfHandler,
    Profiler,
    SyncBaseHandler,
)

told = []


class Told(logging.Handler):
    def emit(self, record):
        told.append(record.getMessage())


logging.getLogger("phanos").addHandler(Told(logging.ERROR))
logging.getLogger("phanos").setLevel(logging.ERROR)


class Kept(SyncBaseHandler):
    def __init__(self):
        super().__init__("kept")
        self.paths = []

    def handle(self, records, profiler_name="profiler"):
        self.paths += [record["method"].partition(":")[2] for record in records]


kept = Kept()
profiler = Profiler()
profiler.config(job="TEST", time_profile=True, request_size_profile=False)
profiler.add_handler(kept)
counter = phanos.metrics.Counter("counter", "TEST", "V")
profiler.add_metric(counter)


@profiler.profile
def leaf():
    return "leaf"


@profiler.profile
def plain(armed):
    leaf()
    armed()
    return leaf()


@profiler.profile
def fails():
    raise LookupError("mine")


def failing(armed):
    armed()
    try:
        fails()
    except LookupError as error:
        caught = error if sys.exc_info()[1] is error else None
    assert str(caught) == "mine"
    return "leaf"


@profiler.profile
async def body():
    await asyncio.sleep(0)
    return leaf()


async def both():
    # The one that ends beside the panic has its own path.
    first, second = await asyncio.gather(body(), body())
    assert first == second
    return first


def coroutine(armed):
    armed()
    return asyncio.run(both())


@profiler.profile
def items():
    yield leaf()
    yield leaf()


def generator(armed):
    armed()
    assert list(items()) == ["leaf", "leaf"]
    return "leaf"


def operation(armed):
    armed()
    counter.inc(1.0)
    return "leaf"


class Later(AsyncBaseHandler):
    @classmethod
    async def create(cls, handler_name):
        return cls(handler_name)

    async def handle(self, records, profiler_name="profiler"):
        pass


later = Profiler()
later.async_config(job="TEST", request_size_profile=False)
later.add_handler(Later("later"))


def queueing(armed):
    hands_over = later.profile(lambda: "leaf")
    armed()
    result = hands_over()
    assert later.curr_node.get() is later.tree.root
    return result


def command(armed):
    armed()
    assert sys.modules["phanos._phanos"].run_command(["phanos", "--version"]) == 1
    return "leaf"


def check(kind, armed):
    """Run the calls with a panic in them; then all is as if there had been none."""
    assert globals()[kind](armed) == "leaf"
    assert profiler.curr_node.get() is profiler.tree.root, profiler.curr_node.get().ctx.value
    profiler.flush()
    kept.paths.clear()
    assert plain(lambda: None) == "leaf"
    profiler.flush()
    assert kept.paths == ["plain.leaf", "plain.leaf", "plain"], kept.paths
    assert profiler.tree.root.children == []


def check_network(kind, armed):
    handler = AsyncImpProfHandler("rabbit", port=1, retry=1)
    delivering = Profiler()
    delivering.async_config(job="TEST", request_size_profile=False)
    delivering.add_handler(handler)
    recorded = delivering.profile(lambda: "leaf")

    async def close():
        return await handler.close(0.01)

    def record():
        recorded()
        return False

    def flush():
        recorded()
        return delivering.flush(0.01)

    async def aflush():
        recorded()
        return await delivering.aflush(0.01)

    def without_loop():
        recorded()
        flushing = handler.flush(0.01)
        try:
            while True:
                flushing.send(None)
        except StopIteration as stop:
            return stop.value

    given = [{"item": "A", "job": "TEST", "method": "A:root", "labels": {}, "value": ("inc", 1)}]

    async def push():
        return await handler.handle(given, "counter") is not None

    def publish():
        logger = logging.getLogger("phanos")
        return handler.publisher._delivery.publish(given, logger, 0.1, 0.1).wait(5.0)

    def probe():
        said = None
        try:
            ImpProfHandler("connecting", port=1, retry=1, logger=logging.getLogger("connecting"))
        except RuntimeError as error:
            said = str(error)
        assert "it panicked" in (said or ""), said
        return False

    calls = {
        "push": lambda: asyncio.run(push()),
        "publish": publish,
        "probe": probe,
        "without_loop": without_loop,
        "record": record,
        "flush": flush,
        "aflush": lambda: asyncio.run(aflush()),
        "close": lambda: asyncio.run(close()),
    }
    armed()
    assert calls[kind]() is False
    assert recorded() == "leaf"
    stats = handler.stats()
    assert stats["handed_over"] == stats["queued"] + sum(stats["dropped"].values()), stats
    assert stats["handed_over"] >= (1 if kind in ("close", "push", "publish", "probe") else 2), (
        stats
    )
    asyncio.run(close())
