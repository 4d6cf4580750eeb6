"""What coroutines await of handlers and publishers: under asyncio, elsewhere, cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

import phanos
import pytest
import trio
from phanos._asynchronous import waiting as _waiting
from phanos.messaging import AsyncioPublisher
from phanos.publisher import AsyncImpProfHandler, ImpProfHandler
from proxy import Proxy
from receiver import Receiver
from sample_records import RECORD
from support import DEADLINE_S, make_profiler, output_of

from tools.rabbitmq import Node

Use = Callable[[int], Coroutine[Any, Any, None]]


async def create(port: int) -> None:
    handler = await AsyncImpProfHandler.create("created", port=port)
    assert await handler.close() is True


async def handle_and_flush(port: int) -> None:
    handler = AsyncImpProfHandler("flushed", port=port)
    await handler.handle([RECORD], "metric")
    assert await handler.flush() is True
    assert handler.stats()["confirmed"] == 1
    assert await handler.close() is True


async def handle_synchronously(port: int) -> None:
    handler = AsyncImpProfHandler("synchronous", port=port, synchronous=True)
    await handler.handle([RECORD], "metric")
    assert handler.stats()["confirmed"] == 1
    assert await handler.close() is True


async def publish(port: int) -> None:
    publisher = AsyncioPublisher(port=port)
    await publisher.connect()
    assert publisher.is_connected()
    assert await publisher.publish([RECORD]) is True
    await publisher.close()


async def flush_profiler(port: int) -> None:
    profiler = make_profiler(ImpProfHandler("profiler", port=port))

    @profiler.profile
    async def call() -> None:
        """Recorded."""

    await call()
    assert await profiler.aflush(DEADLINE_S) is True
    handler: Any = profiler.handlers["profiler"]
    assert handler.stats()["confirmed"] == 1
    assert handler.close() is True


@pytest.fixture(params=[create, handle_and_flush, handle_synchronously, publish, flush_profiler])
def use(request: pytest.FixtureRequest) -> Use:
    """Everything that awaits the network side."""
    used: Use = request.param
    return used


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Notes each pause before another look for a result."""
    noted: list[str] = []
    pause = _waiting.pause

    async def noting() -> None:
        noted.append("look")
        await pause()

    monkeypatch.setattr(_waiting, "pause", noting)
    return noted


@pytest.mark.usefixtures("receiver")
def test_asyncio_is_told_of_results_and_never_looks(
    use: Use, broker: Node, looks: list[str]
) -> None:
    asyncio.run(use(broker.port))
    assert looks == []


@pytest.mark.usefixtures("receiver")
def test_trio_looks_for_results(use: Use, broker: Node, looks: list[str]) -> None:
    trio.run(use, broker.port)
    assert looks


@pytest.mark.usefixtures("receiver")
def test_a_coroutine_that_is_driven_by_hand_looks_for_results(
    use: Use, broker: Node, looks: list[str]
) -> None:
    coroutine = use(broker.port)
    # `send` of a coroutine that has ended raises StopIteration, which ends the iteration.
    assert set(iter(partial(coroutine.send, None), "never")) == {None}
    assert looks


@pytest.mark.usefixtures("receiver")
def test_asyncio_looks_where_no_thread_can_be_had(
    use: Use, broker: Node, looks: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> Any:
        raise OSError("no thread")

    # The types are native: their methods cannot be replaced.
    class Refusing:
        def __init__(self, pending: Any) -> None:
            self.poll, self.wait = pending.poll, pending.wait
            self.give_up = getattr(pending, "give_up", None)
            self.wait_async = refuse

    wait_async, wait_for_probe_async = _waiting.wait_async, _waiting.wait_for_probe_async
    monkeypatch.setattr(
        "phanos.messaging.wait_async", lambda pending, s: wait_async(Refusing(pending), s)
    )
    for module in ("phanos._handlers.rabbitmq", "phanos._handlers.delivering"):
        monkeypatch.setattr(
            f"{module}.wait_async", lambda pending, s: wait_async(Refusing(pending), s)
        )
    monkeypatch.setattr(
        "phanos.messaging.wait_for_probe_async",
        lambda probe: wait_for_probe_async(Refusing(probe)),
    )
    asyncio.run(use(broker.port))
    assert looks


@pytest.mark.parametrize("what", ["flush", "synchronous", "publish", "aflush"])
def test_cancelling_leaves_the_record_and_nothing_else(
    what: str, proxy: Proxy, receiver: Receiver
) -> None:
    async def main() -> None:
        handler = AsyncImpProfHandler("h", port=proxy.port, synchronous=what == "synchronous")
        publisher = AsyncioPublisher(port=proxy.port, retry=1000, retry_delay=1.0)
        profiler = make_profiler(handler)
        await publisher.connect()
        proxy.half_open()

        async def awaited() -> Any:
            if what == "publish":
                return await publisher.publish([RECORD])
            await handler.handle([RECORD], "metric")
            return await (profiler.aflush(1000.0) if what == "aflush" else handler.flush(1000.0))

        task = asyncio.create_task(awaited())
        done, _ = await asyncio.wait([task], timeout=0.1)
        assert not done
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.all_tasks() == {asyncio.current_task()}
        proxy.cut()
        proxy.forward()
        assert await handler.flush(DEADLINE_S) is True
        await handler.close()
        await publisher.close()

    asyncio.run(main())
    receiver.wait_for_records(1, DEADLINE_S)


def test_a_loop_that_is_closed_before_the_result_is_told_of_nothing(proxy: Proxy) -> None:
    """Nor is the user, on stderr: `output_of` wants it empty."""
    proxy.half_open()
    printed = output_of(
        """
        import asyncio, sys
        from phanos.publisher import AsyncImpProfHandler
        from support import wait_until

        handler = AsyncImpProfHandler("h", port=int(sys.argv[1]))
        loop = asyncio.new_event_loop()

        async def begin():
            handler._delivery.connect()
            return handler._delivery.stop().wait_async(60.0)

        future = loop.run_until_complete(begin())
        loop.close()
        # Its result comes when the network side has stopped, with no loop to tell.
        wait_until(lambda: handler.stats()["state"] == "closed", "stopped")
        print(future.done())
        """,
        str(proxy.port),
    )
    assert printed.split() == ["False"]


def test_awaitables_belong_to_the_current_call(broker: Node) -> None:
    handler = AsyncImpProfHandler("h", port=broker.port)
    profiler = make_profiler(handler)
    seen: list[str] = []

    @profiler.profile
    async def waiting() -> None:
        await handler.handle([RECORD], "metric")
        flushed: Awaitable[bool] = handler.flush()
        assert await flushed is True
        seen.append(str(profiler.curr_node.get().ctx))

    async def main() -> None:
        await asyncio.gather(waiting(), waiting())
        await handler.close()

    asyncio.run(main())
    assert seen == ["test_awaitables:waiting"] * 2
    assert phanos.profiler.curr_node.get() is phanos.profiler.tree.root
