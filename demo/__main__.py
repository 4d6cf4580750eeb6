"""Two processes serve both applications; requests, the records, what Prometheus reads of them."""

from __future__ import annotations

import socket
import tempfile
from concurrent.futures import ThreadPoolExecutor

import phanos

from demo.call_tree import TIMES, draw, tree_of
from demo.serving import HOST, request
from demo.titles import title
from demo.workers import start_workers


def send(address: str, path: str, method: str = "GET", body: str | None = None) -> None:
    """Send a request and print the exchange; the records appear between the two lines."""
    print(f"\n→ {method} {path}", flush=True)
    answer = request(address + path, method, body)
    print(f"← {answer.status} {answer.text.strip()}", flush=True)


def free_port() -> int:
    """Return a free port; an application has a fixed one, 9464 by default."""
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def main() -> None:
    """Run the tour."""
    print(f"phanos {phanos.__version__}: every call of a decorated function becomes a record.")
    port = free_port()
    with (
        tempfile.TemporaryDirectory(prefix="phanos-demo-") as folder,
        start_workers(2, port, folder) as workers,
    ):
        one, other = workers
        title("Flask, a thread per request, in two processes that take turns")
        send(one.shop, "/orders/1")
        send(other.shop, "/orders")
        send(one.shop, "/checkout", "POST", '{"number": 2}')
        send(other.shop, "/orders/99")

        title("FastAPI, an event loop in each of the two")
        send(one.weather, "/forecast/Brno")
        send(other.weather, "/diary/2")
        title("Three requests at once: every task keeps its own path")
        cities = ("Oslo", "Lima", "Kyoto")
        with ThreadPoolExecutor(len(cities)) as pool:
            list(pool.map(lambda city: request(f"{one.weather}/forecast/{city}"), cities))

        for worker in workers:
            worker.flush()
        url = f"http://{HOST}:{port}/metrics"
        page = request(url).text
        title(f"What Prometheus reads at {url}: one of the two counts for both")
        print("\n".join(line for line in page.splitlines() if line.startswith(f"{TIMES}_count")))
        title("The call tree, from the same page")
        print("\n".join(draw(tree_of(page))))


if __name__ == "__main__":
    main()
