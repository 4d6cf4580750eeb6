"""What the workers of a small shop record, with faults that are planted."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

QUERIES = 48
MOST_QUERIES = 96
"""Queries for one order, usually and at most."""


@dataclass
class Shop:
    """
    Makes records, and remembers what they say.

    Attributes:
        slow: how many times as long reserving takes.
        failing: the share of payments that fail.
        calls, errors, milliseconds: by path, of all that was made.
        queries: how long each of them took, in milliseconds.
    """

    slow: float = 1.0
    failing: float = 0.0
    random: random.Random = field(default_factory=lambda: random.Random(7))
    calls: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    milliseconds: Counter[str] = field(default_factory=Counter)
    queries: list[float] = field(default_factory=list)

    def requests(self, count: int) -> list[dict[str, Any]]:
        """Return the records of so many requests of each kind."""
        records: list[dict[str, Any]] = []
        for number in range(count):
            records += self._order(MOST_QUERIES if number == count // 2 else QUERIES)
            for _ in range(2):
                records += self._checkout()
            records += self._weather()
            records += self._page(number % 40)
        return records

    def _time(self, usual_ms: float) -> float:
        return round(usual_ms * self.random.lognormvariate(0, 0.4), 2)

    def _record(self, method: str, milliseconds: float, failed: bool = False) -> dict[str, Any]:
        milliseconds = round(milliseconds, 2)
        self.calls[method] += 1
        self.errors[method] += failed
        self.milliseconds[method] += milliseconds
        if method.endswith(".query"):
            self.queries.append(milliseconds)
        return {
            "item": method.split(":")[0],
            "metric": "histogram",
            "units": "mS",
            "job": "shop",
            "method": method,
            "labels": {"error_raised": failed},
            "value": ["observe", milliseconds],
        }

    def _order(self, queries: int) -> Iterator[dict[str, Any]]:
        loading = 0.5
        for _ in range(queries):
            query = self._time(0.25)
            loading += query
            yield self._record("Orders:get.load_order.query", query)
        yield self._record("Orders:get.load_order", loading)
        price = self._time(2)
        yield self._record("Orders:get.price", price)
        yield self._record("Orders:get", loading + price + 1)

    def _checkout(self) -> Iterator[dict[str, Any]]:
        reserve = self._time(4 * self.slow)
        query = min(self._time(1), reserve)
        yield self._record("Checkout:post.reserve.query", query)
        yield self._record("Checkout:post.reserve", reserve)
        failed = self.random.random() < self.failing
        pay = self._time(10)
        yield self._record("Checkout:post.pay.card_request", pay * 0.9, failed)
        yield self._record("Checkout:post.pay", pay, failed)
        yield self._record("Checkout:post", reserve + pay + 1, failed)

    def _weather(self) -> Iterator[dict[str, Any]]:
        """Two that run at the same time."""
        first, second = self._time(20), self._time(18)
        yield self._record("weather:forecast.temperature", first)
        yield self._record("weather:forecast.wind", second)
        yield self._record("weather:forecast", max(first, second) + 0.5)

    def _page(self, number: int) -> Iterator[dict[str, Any]]:
        rows = self._time(0.5)
        yield self._record(f"Catalogue:list.page_{number}", rows)
        yield self._record("Catalogue:list", rows + 0.2)
