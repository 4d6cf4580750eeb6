"""Start a broker, profile two servers into it, kill it under load, and count what arrived."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from dataclasses import dataclass
from typing import Any

import phanos
from phanos.publisher import AsyncImpProfHandler, ImpProfHandler

from demo import shop, weather
from demo.rabbitmq.consumer import Consumer
from demo.rabbitmq.ledger import Ledger
from demo.rabbitmq.load import Load
from demo.rabbitmq.tables import Stats, compared, stats_over_time
from demo.serving import request, serve_asgi, serve_wsgi
from demo.titles import title
from tools.rabbitmq import Installation, Node

# A quorum queue that is younger than about a second does not survive a broker that is killed.
BUSY_S = 3.0
DOWN_S = 2.0
DEADLINE_S = 40.0
LOOK_INTERVAL_S = 0.05
LONGEST_BODY = 230


@dataclass(frozen=True)
class Handlers:
    """The two that deliver, and the one that counts."""

    shop: ImpProfHandler
    weather: AsyncImpProfHandler
    ledger: Ledger

    def stats(self) -> tuple[Stats, Stats]:
        """Return the counts of both."""
        return self.shop.stats(), self.weather.stats()


async def configure(port: int) -> Handlers:
    """Have both profilers deliver to the broker, one of them as settings in a dict would."""
    ledger = Ledger("ledger")
    phanos.profiler.config(job="shop", response_size_profile=True)
    to_shop = ImpProfHandler("shop", port=port)
    phanos.profiler.add_handler(to_shop)
    phanos.profiler.add_handler(ledger)
    rabbitmq = {
        "class": "phanos.handlers.AsyncImpProfHandler",
        "handler_name": "weather",
        "port": port,
    }
    await weather.profiler.async_dict_config({"job": "weather", "handlers": {"mq": rabbitmq}})
    weather.profiler.add_handler(ledger)
    to_weather: Any = weather.profiler.handlers["weather"]
    return Handlers(to_shop, to_weather, ledger)


def send(address: str, path: str, method: str = "GET", body: str | None = None) -> None:
    """Send a request and print the exchange."""
    answer = request(address + path, method, body)
    print(f"{method:<5}{path:<18}{answer.status} {answer.text.strip()}", flush=True)


def visit(shop_address: str, weather_address: str) -> None:
    """Send a request of every kind."""
    send(shop_address, "/orders/1")
    send(shop_address, "/orders")
    send(shop_address, "/checkout", "POST", '{"number": 2}')
    send(shop_address, "/orders/99")
    send(weather_address, "/forecast/Brno")


def show_received(consumer: Consumer, handlers: Handlers) -> None:
    """Print the first message of each kind, and how many records came."""
    consumer.wait_for_records(handlers.ledger.counts.total())
    shown = set()
    for message in consumer.messages:
        kind = f"{message.routing_key}, {message.metric}"
        if kind not in shown:
            shown.add(kind)
            dots = "..." if len(message.body) > LONGEST_BODY else ""
            print(f"{kind}:\n{message.body[:LONGEST_BODY]}{dots}\n")
    print("\n".join(compared(handlers.ledger.counts, consumer.counts)), flush=True)


def wait_until_delivering(handlers: Handlers, before: tuple[Stats, Stats]) -> None:
    """Wait until the broker confirms records again."""
    end = time.monotonic() + DEADLINE_S
    while any(
        now["confirmed"] <= then["confirmed"]
        for now, then in zip(handlers.stats(), before, strict=True)
    ):
        if time.monotonic() > end:
            raise TimeoutError(f"nothing delivered within {DEADLINE_S} s")
        time.sleep(LOOK_INTERVAL_S)


def kill_under_load(
    node: Node, handlers: Handlers, pages: tuple[str, ...]
) -> tuple[Load, dict[str, tuple[Stats, Stats]]]:
    """Return the requests that were sent meanwhile, and the counts before and without a broker."""
    with Load(pages) as load:
        time.sleep(BUSY_S)
        before = handlers.stats()
        node.kill()
        print("killed", flush=True)
        time.sleep(DOWN_S)
        down = handlers.stats()
        print("starting again", flush=True)
        node.start()
        wait_until_delivering(handlers, down)
    return load, {"before": before, "broker down": down}


async def flush(handlers: Handlers) -> bool:
    """Wait until the broker has everything; True if it has."""
    return handlers.shop.flush(DEADLINE_S) and await handlers.weather.flush(DEADLINE_S)


async def close(handlers: Handlers) -> bool:
    """Disconnect; True if nothing had to be given up."""
    return handlers.shop.close() and await handlers.weather.close()


def tour(node: Node, consumer: Consumer) -> bool:
    """Return whether every record arrived."""
    handlers = asyncio.run(configure(node.port))
    with serve_wsgi(shop.app) as shop_address, serve_asgi(weather.app) as weather_address:
        title("Flask with ImpProfHandler, FastAPI with AsyncImpProfHandler")
        visit(shop_address, weather_address)
        title("What a consumer received")
        show_received(consumer, handlers)
        title("The broker is killed under load and started again")
        pages = (f"{shop_address}/orders/1", f"{weather_address}/forecast/Brno")
        load, moments = kill_under_load(node, handlers, pages)
        asyncio.run(weather.profiler.aflush())
        recorded = handlers.ledger.counts
        consumer.wait_for_records(recorded.total())
        delivered = asyncio.run(flush(handlers))
        moments["after"] = handlers.stats()
        closed = asyncio.run(close(handlers))

    print(
        f"{load.answered:,} requests answered, {load.failed} failed, "
        f"the slowest in {load.slowest_ms:.0f} ms"
    )
    for position, name in enumerate(("ImpProfHandler", "AsyncImpProfHandler")):
        print(f"\n{name}.stats()")
        table = {moment: stats[position] for moment, stats in moments.items()}
        print("\n".join(stats_over_time(table)))

    title("Recorded and received")
    received = consumer.counts
    print("\n".join(compared(recorded, received)))
    arrived = recorded == received
    print(
        f"\n{'Every record arrived' if arrived else 'Recorded and received differ'}; "
        f"{consumer.repeated} messages came twice and were dropped by their message_id."
    )
    return arrived and delivered and closed and load.failed == 0


def main() -> int:
    """Run the tour; 0 if it showed what it should."""
    # What a handler has to tell is part of the tour; what pika thinks of a killed broker is not.
    logging.basicConfig(stream=sys.stdout, format="log: %(message)s")
    logging.getLogger("phanos").setLevel(logging.INFO)
    logging.getLogger("pika").setLevel(logging.CRITICAL)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    print(f"phanos {phanos.__version__} and {Installation.find().home.name}, a node of its own")
    with Node() as node, Consumer(node.port, DEADLINE_S) as consumer:
        return 0 if tour(node, consumer) else 1


if __name__ == "__main__":
    sys.exit(main())
