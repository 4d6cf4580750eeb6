"""Profile a plain asyncio program: concurrent tasks, each with its own place in the call tree.

Try it:

    python examples/asyncio_app.py
"""

import asyncio

import phanos
from phanos.publisher import AsyncBaseHandler


class SlowestCall(AsyncBaseHandler):
    """An asynchronous handler: it may await what it likes, here a queue."""

    def __init__(self, handler_name, queue):
        super().__init__(handler_name)
        self.queue = queue

    @classmethod
    async def create(cls, handler_name, queue):
        """Here `async_dict_config` makes it; a handler that connects somewhere does so now."""
        return cls(handler_name, queue)

    async def handle(self, records, profiler_name="profiler"):
        # value is (operation, number), e.g. ("observe", 10.52)
        slowest = sorted(records, key=lambda record: record["value"][1])[-1]
        await self.queue.put((profiler_name, slowest["method"], len(records)))


@phanos.profile
async def download(page):
    await asyncio.sleep(page / 1000)
    return "x" * page


@phanos.profile
async def count_letters(page):
    return len(await download(page))


@phanos.profile
async def crawl():
    return sum(await asyncio.gather(*(count_letters(page) for page in (1, 2, 3))))


async def main():
    queue = asyncio.Queue()
    phanos.profiler.async_config(job="crawler")
    phanos.profiler.add_handler(await SlowestCall.create("slowest", queue))
    print(await crawl(), "letters")
    metric, method, count = await queue.get()
    print(f"{metric}: {count} records, the slowest call was {method}")


if __name__ == "__main__":
    asyncio.run(main())
