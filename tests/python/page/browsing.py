"""A page in Chromium, and what it must never do."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from collecting import DEADLINE_S, Collector
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, expect

expect.set_options(timeout=DEADLINE_S * 1000)
DESKTOP = (1280, 800)
PHONE = (390, 844)


class Visit:
    """One page, opened; complains at its end of errors, and of requests to anywhere else."""

    def __init__(self, context: BrowserContext, collector: Collector) -> None:
        self.base = f"http://127.0.0.1:{collector.port}/"
        self.page: Page = context.new_page()
        self.page.set_default_timeout(DEADLINE_S * 1000)
        self.complaints: list[str] = []
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self._on_request(request.url))

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")

    def _on_request(self, url: str) -> None:
        if not url.startswith((self.base, "blob:")):
            self.complaints.append(f"a request to {url}")

    def open(self, view: str = "") -> Visit:
        # Only the part behind the number sign would change: no new page.
        self.page.goto("about:blank")
        self.page.goto(f"{self.base}#{view}")
        return self

    def row(self, path: str) -> Any:
        """Return the first row of a path."""
        name = self.page.locator(f'.name[title="{path}"]')
        return self.page.locator(".body .row:not([hidden])").filter(has=name).first

    def cell(self, path: str, column: str) -> str:
        """Return a number as it stands there; thin spaces as spaces."""
        text = self.row(path).locator(f".cell.{column}").inner_text()
        return text.replace("\u2009", " ").strip()

    def names(self) -> list[str]:
        """Return the names in the table, from the top."""
        rows = self.page.locator(".body .row:not([hidden])")
        found = rows.evaluate_all(
            "rows => rows.map(row => [row.ariaRowIndex, row.querySelector('.name').textContent])"
        )
        return [name for _, name in sorted((int(index), name) for index, name in found)]

    def wait_for_rows(self) -> None:
        expect(self.page.locator(".body .row:not([hidden])").first).to_be_visible()

    def view(self) -> dict[str, str]:
        """Return what the address says."""
        return dict(self.page.evaluate("[...new URLSearchParams(location.hash.slice(1))]"))

    def violations(self) -> list[str]:
        found = Axe().run(self.page).response["violations"]
        return [f"{one['id']}: {[node['html'][:200] for node in one['nodes']]}" for one in found]


@contextmanager
def visiting(browser: Any, collector: Collector, **options: Any) -> Iterator[Visit]:
    size = options.pop("size", DESKTOP)
    viewport = {"width": size[0], "height": size[1]}
    context = browser.new_context(viewport=viewport, reduced_motion="reduce", **options)
    visit = Visit(context, collector)
    try:
        yield visit
        assert visit.complaints == []
    finally:
        context.close()


def calls(collector: Collector, query: str) -> dict[str, Any]:
    """Return the call tree as the server tells it."""
    url = f"http://127.0.0.1:{collector.port}/api/calls?{query}"
    with urllib.request.urlopen(url, timeout=DEADLINE_S) as answer:
        told: dict[str, Any] = json.load(answer)
    return told
