"""Serve both applications, send them requests, show the records and the call tree."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

import phanos
from phanos.handlers import StreamHandler

from demo import shop, weather
from demo.call_tree import CallTreeHandler
from demo.serving import request, serve_asgi, serve_wsgi
from demo.titles import title


def send(address: str, path: str, method: str = "GET", body: str | None = None) -> None:
    """Send a request and print the exchange; the records appear between the two lines."""
    print(f"\n→ {method} {path}", flush=True)
    answer = request(address + path, method, body)
    print(f"← {answer.status} {answer.text.strip()}", flush=True)


def main() -> None:
    """Run the tour."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    tree = CallTreeHandler("call tree")
    print(f"phanos {phanos.__version__}: every call of a decorated function becomes a record.")

    phanos.profiler.config(job="shop", response_size_profile=True, error_raised_label=True)
    phanos.profiler.add_handler(StreamHandler("stdout"))
    phanos.profiler.add_handler(tree)
    with serve_wsgi(shop.app) as address:
        title(f"Flask, a thread per request, on {address}")
        send(address, "/orders/1")
        send(address, "/orders")
        send(address, "/checkout", "POST", '{"number": 2}')
        send(address, "/orders/99")

    weather.profiler.async_config(job="weather", error_raised_label=True)
    weather.profiler.add_handler(StreamHandler("stdout"))
    weather.profiler.add_handler(tree)
    with serve_asgi(weather.app) as address:
        title(f"FastAPI, one event loop, on {address}")
        send(address, "/forecast/Brno")
        send(address, "/diary/2")
        title("Three requests at once: every task keeps its own path")
        cities = ("Oslo", "Lima", "Kyoto")
        with ThreadPoolExecutor(len(cities)) as pool:
            list(pool.map(lambda city: request(f"{address}/forecast/{city}"), cities))

    title("The call tree, which a user-written handler drew from the same records")
    print("\n".join(tree.draw()))


if __name__ == "__main__":
    main()
