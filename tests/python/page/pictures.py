"""
The pictures of the page in docs/: `make pictures`.

A shop records good times and then bad ones, as in the tests; nothing is drawn by hand.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from browsing import PHONE, Visit, calls, visiting
from collecting import PROJECT, Collector, LocalSender, built_command, wait_until
from playwright.sync_api import sync_playwright
from shop_records import Shop

from tools.browser import Browser

DOCS = PROJECT / "docs"
WORKERS = 3


def fill(collector: Collector) -> int:
    """Have workers record; return the moment from which on it was bad."""
    shop = Shop()
    workers = [LocalSender(collector.socket, f"worker {number}") for number in range(WORKERS)]

    def record(requests: int) -> None:
        since = calls(collector, "window=all")["now"]
        before = shop.calls.total()
        for worker in workers:
            worker.send("time_profiler", shop.requests(requests))
            worker.flush()
        made = shop.calls.total() - before

        def counted() -> int:
            rows = calls(collector, f"window={since}..")["rows"]
            return sum(row[1] for row in rows)

        wait_until(lambda: counted() == made, lambda: f"{counted()} of {made}")

    record(60)
    noon = int(calls(collector, "window=all")["now"])
    shop.slow, shop.failing = 3.0, 0.12
    record(60)
    return noon


def take(browser: Any, collector: Collector, noon: int) -> None:
    compared = f"window={noon}..&compare=0..{noon}"

    def picture(name: str, view: str, size: tuple[int, int], **options: Any) -> None:
        with visiting(browser, collector, size=size, **options) as visit:
            visit.open(view)
            visit.wait_for_rows()
            visit.page.wait_for_timeout(300)
            named(visit)
            visit.page.screenshot(path=DOCS / f"{name}.png")

    def named(visit: Visit) -> None:
        """Give windows the names that they have for people, rather than moments."""
        visit.page.evaluate(
            """() => {
                const names = { window: "last 5 min", compare: "the time before" };
                for (const [id, text] of Object.entries(names)) {
                    const select = document.getElementById(id);
                    if (/\\.\\./.test(select.value)) select.selectedOptions[0].textContent = text;
                }
            }"""
        )

    picture("page", f"{compared}&select=Orders:get.load_order.query", (1280, 720))
    dark = f"{compared}&colour=change&select=Checkout:post.reserve"
    picture("page-dark", dark, (1280, 720), color_scheme="dark")
    picture("page-callers", "window=all&of=query", (1280, 420))
    picture("page-phone", f"{compared}&zoom=Orders:get", PHONE, device_scale_factor=2)


def main() -> int:
    """Draw all pictures anew."""
    found = Browser.find()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        collector = Collector(built_command(), Path(folder))
        collector.start()
        browser = playwright.chromium.launch(
            executable_path=found.program,
            env={**os.environ, **found.environment()},
            args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
        )
        try:
            take(browser, collector, fill(collector))
        finally:
            browser.close()
            collector.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
