"""The page without numbers, without a collector, without a token."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browsing import visiting
from collecting import Collector, LocalSender
from playwright.sync_api import expect
from shop_records import Shop

Start = Callable[..., Collector]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_without_numbers_it_says_what_to_do(
    browser: Any, any_collector: Start, scheme: str
) -> None:
    collector = any_collector()
    with visiting(browser, collector, color_scheme=scheme) as visit:
        page = visit.open().page
        expect(page.locator("#empty")).to_contain_text("phanos.profiler.config(job=")
        assert visit.violations() == []
        with LocalSender(collector.socket) as sender:
            sender.send("time_profiler", Shop().requests(1))
            expect(page.locator("#empty")).to_be_hidden()
            visit.wait_for_rows()


def test_a_lost_collector_is_told_and_found_again(browser: Any, any_collector: Start) -> None:
    collector = any_collector()
    with LocalSender(collector.socket) as sender:
        sender.send("time_profiler", Shop().requests(1))
        sender.flush()
    with visiting(browser, collector) as visit:
        page = visit.open("window=all").page
        visit.wait_for_rows()
        collector.kill()
        expect(page.locator("#live")).to_contain_text("trying again")
        expect(page.locator(".notice.error")).to_be_visible()
        # What was there stays to be read.
        assert "Orders:get" in visit.names()
        collector.start()
        expect(page.locator("#live")).to_contain_text("live")
        expect(page.locator("#empty")).to_be_visible()
        # The browser's own complaints of the connection that was lost.
        visit.complaints = [one for one in visit.complaints if "net::ERR_" not in one]


def test_limits_and_bad_records_are_told(browser: Any, any_collector: Start) -> None:
    collector = any_collector("--max-series", "5")
    with LocalSender(collector.socket) as sender:
        sender.send("time_profiler", [*Shop().requests(3), {"method": "nonsense"}])
        sender.flush()
    with visiting(browser, collector) as visit:
        page = visit.open("window=all").page
        visit.wait_for_rows()
        expect(page.locator("#notices")).to_contain_text("has reached its 5 series")
        expect(page.locator("#notices")).to_contain_text("1 records were not counted")
        assert "(overflow)" in visit.names()


class GuardedCollector(Collector):
    """Shows nothing without a token."""

    def is_up(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=60):
                return True
        except OSError:
            return False


def test_a_token_is_asked_for(browser: Any, command: Path, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("secret")
    collector = GuardedCollector(command, tmp_path, "--token-file", str(file))
    collector.start()
    try:
        with visiting(browser, collector) as visit:
            page = visit.open().page
            expect(page.locator("#token")).to_be_visible()
            assert visit.violations() == []
            page.get_by_role("textbox", name="Token").fill("secret")
            page.keyboard.press("Enter")
            expect(page.locator("#empty")).to_be_visible()
            visit.complaints = [one for one in visit.complaints if "401" not in one]
    finally:
        collector.close()


def test_a_window_that_is_none_is_told(browser: Any, any_collector: Start) -> None:
    with visiting(browser, any_collector()) as visit:
        page = visit.open("window=soon").page
        expect(page.locator(".notice.error")).to_contain_text('"soon" is no window such as 5m')
        visit.complaints = [one for one in visit.complaints if "400" not in one]


def test_hostile_names_are_text(browser: Any, any_collector: Start) -> None:
    collector = any_collector()
    name = '<img src=x onerror="alert(1)">'
    shop = Shop()
    with LocalSender(collector.socket) as sender:
        records = [shop._record(f"Shop:{name}", 1.0), shop._record(f"Shop:{name}.<b>&amp;", 1.0)]
        sender.send("time_profiler", records)
        sender.flush()
    with visiting(browser, collector) as visit:
        visit.open("window=all").wait_for_rows()
        assert f"Shop:{name}" in visit.names()
        assert visit.page.locator("img, b").count() == 0


def test_qualified_names_make_a_tree(browser: Any, any_collector: Start) -> None:
    collector = any_collector()
    shop = Shop()
    with LocalSender(collector.socket) as sender:
        paths = ["Orders.get > Database.query"] * 12 + ["Orders.get"]
        sender.send("time_profiler", [shop._record(path, 1.0) for path in paths])
        sender.flush()
    with visiting(browser, collector) as visit:
        visit.open("window=all").wait_for_rows()
        assert visit.names() == ["Orders.get", "Database.query"]
        assert visit.cell("Orders.get > Database.query", "perRoot") == "12"
