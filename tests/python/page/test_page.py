"""The page of a live collector, clicked through in Chromium."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from browsing import PHONE, Visit, calls, visiting
from collecting import Collector, LocalSender
from playwright.sync_api import expect
from shop_records import MOST_QUERIES, Shop

FAMILY = "phanos_time_profiler_seconds"


def exported(visit: Visit, kind: str, folder: Path) -> str:
    """Return what a view is exported as."""
    with visit.page.expect_download() as download:
        visit.page.select_option("#export", kind)
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path.read_text()


def test_numbers_are_those_of_metrics_and_of_what_was_recorded(
    visit: Visit, collector: Collector, shop: Shop, tmp_path: Path
) -> None:
    visit.open("window=all").wait_for_rows()
    told = json.loads(exported(visit, "json", tmp_path))
    paths = {one["path"]: one for one in told["paths"]}
    assert set(paths) == set(shop.calls)
    for path, one in paths.items():
        counted = collector.value(f"{FAMILY}_count", method=path)
        failed = collector.value(f"{FAMILY}_count", method=path, error_raised="true")
        assert one["calls"] == counted == shop.calls[path], path
        assert one["errors"] == failed == shop.errors[path], path
        assert one["total"] == pytest.approx(collector.value(f"{FAMILY}_sum", method=path))
        assert one["total"] == pytest.approx(shop.milliseconds[path] / 1000)
        assert 0 < one["p50"] <= one["p95"] <= one["p99"], path
    query = "Orders:get.load_order.query"
    mean = shop.calls[query] / shop.calls["Orders:get"]
    assert visit.cell(query, "perRoot") == f"{round(mean)} ({MOST_QUERIES})"
    assert paths[query]["largest"] == MOST_QUERIES
    share = shop.errors["Checkout:post.pay"] / shop.calls["Checkout:post.pay"]
    assert visit.cell("Checkout:post.pay", "errors") == f"{round(share * 100)} %"
    total = shop.milliseconds["weather:forecast"] / 1000
    assert visit.cell("weather:forecast", "total") == f"{total:.1f} s"
    visit.open("window=all&select=weather:forecast")
    expect(visit.page.locator("#detail-text")).to_contain_text("‖ calls at the same time")


def test_what_went_wrong_is_one_click_away(visit: Visit, noon: int) -> None:
    visit.open(f"window={noon}..&compare=0..{noon}").wait_for_rows()
    findings = visit.page.locator(".finding")
    expect(findings).to_have_count(3)
    for kind, path, told in [
        ("slower", "Checkout:post.reserve", r"[34]\.\d\S slower"),
        ("repeated", "Orders:get.load_order.query", r"query 49 \(96\) times per Orders:get"),
        ("failing", "Checkout:post.pay.card_request", r"\d+ % of calls fail"),
    ]:
        finding = visit.page.locator(f".finding.{kind}")
        assert re.search(told, finding.inner_text().replace("\u2009", " ")), finding.inner_text()
        finding.focus()
        visit.page.keyboard.press("Enter")
        expect(visit.page.locator("#detail-path")).to_have_text(path)
        assert visit.view()["select"] == path
        row = visit.page.locator('.body .row[aria-selected="true"]')
        expect(row.locator(".name")).to_have_text(path.rsplit(".", 1)[1])
        expect(row).to_be_visible()
    assert visit.cell("Checkout:post.reserve", "change").startswith("▲")
    visit.page.select_option("#colour", "change")
    assert visit.view()["colour"] == "change"


def test_zoom_is_in_the_address_and_escape_goes_back(visit: Visit) -> None:
    visit.open("window=all").wait_for_rows()
    visit.row("Orders:get.load_order").dblclick()
    expect(visit.page.locator("#crumbs strong")).to_have_text("load_order")
    assert visit.names()[0] == "load_order"
    assert visit.view()["zoom"] == "Orders:get.load_order"
    visit.page.reload()
    expect(visit.page.locator("#crumbs strong")).to_have_text("load_order")
    visit.page.keyboard.press("Escape")
    expect(visit.page.locator("#crumbs strong")).to_have_text("Orders:get")
    visit.page.locator("#crumbs button", has_text="all").click()
    expect(visit.page.locator("#crumbs")).to_be_hidden()
    visit.page.go_back()
    expect(visit.page.locator("#crumbs strong")).to_have_text("Orders:get")


def test_boxes_zoom_and_show_what_they_are(visit: Visit) -> None:
    visit.open("window=all").wait_for_rows()
    box = visit.page.locator("#icicle").bounding_box()
    assert box is not None
    # The widest root is the first, in the second row.
    first = visit.names()[0]
    visit.page.mouse.move(box["x"] + 20, box["y"] + 34)
    expect(visit.page.locator("#detail-path")).to_have_text(first)
    expect(visit.page.locator(".row.hovered .name")).to_have_text(first)
    visit.page.mouse.click(box["x"] + 20, box["y"] + 34)
    expect(visit.page.locator("#crumbs strong")).to_have_text(first)
    assert visit.view()["zoom"] == first


def test_keys_may_come_faster_than_frames(visit: Visit) -> None:
    visit.open("window=all").wait_for_rows()
    visit.row("Orders:get").click()
    visit.page.evaluate(
        """() => {
            for (const key of ["ArrowLeft", "ArrowRight", "ArrowRight"])
                document.activeElement.dispatchEvent(
                    new KeyboardEvent("keydown", { key, bubbles: true }));
        }"""
    )
    expect(visit.page.locator(":focus .name")).to_have_text("load_order")


def test_the_table_is_walked_by_keys(visit: Visit) -> None:
    visit.open("window=all").wait_for_rows()
    page = visit.page
    visit.row("Orders:get").click()
    focused = page.locator(":focus")
    expect(focused.locator(".name")).to_have_text("Orders:get")
    assert focused.get_attribute("aria-level") == "1"
    page.keyboard.press("ArrowLeft")
    expect(focused).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("ArrowRight")
    expect(focused).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("ArrowRight")
    expect(focused.locator(".name")).to_have_text("load_order")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(focused.locator(".name")).to_have_text("Orders:get")
    page.keyboard.press("Home")
    expect(focused).to_have_attribute("aria-rowindex", "2")
    page.keyboard.press("Enter")
    expect(page.locator("#crumbs")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()


def test_the_chart_is_walked_by_keys(visit: Visit) -> None:
    visit.open("window=all").wait_for_rows()
    page = visit.page
    first, path = visit.names()[0], page.locator("#detail-path")
    page.locator("#icicle").focus()
    page.keyboard.press("ArrowDown")
    expect(path).to_have_text(first)
    page.keyboard.press("ArrowRight")
    expect(path).not_to_have_text(first)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowDown")
    expect(path).to_have_text(re.compile(re.escape(first) + r"\.\w+"))
    page.keyboard.press("Enter")
    expect(page.locator("#crumbs strong")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowUp")
    expect(path).to_have_text(first)


def test_a_search_leaves_what_matches_and_the_way_there(visit: Visit) -> None:
    visit.open("window=all").wait_for_rows()
    visit.page.keyboard.press("/")
    visit.page.keyboard.type("^(query|pay)$")
    expect(visit.page.locator("#found")).to_contain_text("3 paths")
    expected = {"Orders:get", "load_order", "query", "Checkout:post", "reserve", "pay"}
    assert set(visit.names()) == expected
    expect(visit.row("Orders:get.load_order")).to_have_class(re.compile("dim"))
    assert visit.view()["search"] == "^(query|pay)$"
    visit.page.keyboard.type("(")
    expect(visit.page.locator("#found")).to_have_text("no regular expression yet")
    visit.page.keyboard.press("Escape")
    expect(visit.page.locator("#found")).to_have_text("")
    assert "weather:forecast" in visit.names()


def test_callers_and_callees_of_a_function(visit: Visit, shop: Shop) -> None:
    visit.open("window=all&select=Orders:get.load_order.query").wait_for_rows()
    visit.page.keyboard.press("s")
    expect(visit.page.locator("#crumbs strong")).to_have_text("callers and callees of query")
    names = visit.names()
    assert names[0] == "query: called by"
    assert {"load_order", "Orders:get", "reserve", "Checkout:post"} < set(names)
    total = sum(time for path, time in shop.milliseconds.items() if path.endswith(".query")) / 1000
    assert visit.cell("query", "total") == f"{total:.1f} s"
    assert visit.view()["of"] == "query"
    visit.page.locator("#sandwich").click()
    expect(visit.page.locator("#crumbs")).to_be_hidden()


def seconds(text: str) -> float:
    number, unit = text.split()
    return float(number) * {"s": 1.0, "ms": 1e-3, "µs": 1e-6}[unit]


def test_quantiles_of_several_paths_together(
    visit: Visit, shop: Shop, collector: Collector
) -> None:
    told = calls(collector, "job=shop&window=all")
    names = dict(told["paths"])
    alone = {names[row[0]]: row[5:8] for row in told["rows"]}
    visit.open("window=all&of=query").wait_for_rows()
    for place, column in enumerate(("p50", "p95", "p99")):
        both = visit.row("query").locator(f".cell.{column}")
        expect(both).to_have_text(re.compile(r"\d"))
        # Through one caller alone it is one path; shown are two digits or three.
        for caller, path in (
            ("Orders:get.load_order", "Orders:get.load_order.query"),
            ("Orders:get", "Orders:get.load_order.query"),
            ("Checkout:post.reserve", "Checkout:post.reserve.query"),
        ):
            shown = seconds(visit.cell(caller, column))
            assert shown == pytest.approx(alone[path][place], rel=0.06)
        # A number of one of its calls, give or take the width of a bucket.
        shown = seconds(visit.cell("query", column))
        wanted = quantile(shop.queries, (0.5, 0.95, 0.99)[place]) / 1000
        assert shown == pytest.approx(wanted, rel=0.13)


def quantile(milliseconds: list[float], share: float) -> float:
    return sorted(milliseconds)[math.ceil(share * len(milliseconds)) - 1]


def test_rows_are_sorted_by_any_column(visit: Visit) -> None:
    visit.open("window=all").wait_for_rows()

    def roots() -> list[str]:
        return [name for name in visit.names() if ":" in name]

    by_time = roots()
    visit.page.get_by_role("button", name="path").click()
    assert roots() == sorted(by_time)
    visit.page.get_by_role("button", name="errors").click()
    assert roots()[0] == "Checkout:post"
    heading = visit.page.get_by_role("columnheader", name="errors")
    expect(heading).to_have_attribute("aria-sort", "descending")
    assert visit.view()["sort"] == "errors"


def test_exports_are_what_other_programs_read(visit: Visit, shop: Shop, tmp_path: Path) -> None:
    visit.open("window=all").wait_for_rows()
    lines = exported(visit, "folded", tmp_path).splitlines()
    folded = {stack: int(time) for stack, time in (line.rsplit(" ", 1) for line in lines)}
    query = shop.milliseconds["Orders:get.load_order.query"] * 1000
    assert folded["Orders:get;load_order;query"] == pytest.approx(query, abs=1)
    profile = json.loads(exported(visit, "speedscope", tmp_path))
    (only,) = profile["profiles"]
    assert len(only["samples"]) == len(only["weights"]) == len(folded)
    frames = [frame["name"] for frame in profile["shared"]["frames"]]
    stacks = {";".join(frames[place] for place in stack) for stack in only["samples"]}
    assert stacks == set(folded)
    assert only["endValue"] == pytest.approx(sum(folded.values()) / 1e6, rel=1e-3)


def test_copies_fit_a_message_and_prometheus(browser: Any, collector: Collector) -> None:
    permissions = ["clipboard-read", "clipboard-write"]
    with visiting(browser, collector, permissions=permissions) as visit:
        visit.open("window=all&select=Checkout:post.pay").wait_for_rows()
        visit.page.keyboard.press("c")
        expect(visit.page.locator("#copied")).to_have_text("text copied")
        text = visit.page.evaluate("navigator.clipboard.readText()")
        assert text.startswith("Checkout:post.pay\n")
        assert "p95" in text
        visit.page.locator("#copy-promql").click()
        expect(visit.page.locator("#copied")).to_have_text("PromQL copied")
        query = visit.page.evaluate("navigator.clipboard.readText()")
        assert 'phanos_time_profiler_seconds_bucket{job="shop",method="Checkout:post.pay"}' in query


def test_what_comes_is_shown_until_the_page_is_paused(
    browser: Any, collector: Collector, shop: Shop
) -> None:
    def send(worker: str) -> None:
        with LocalSender(collector.socket, worker) as sender:
            sender.send("time_profiler", shop.requests(1))
            sender.flush()

    with visiting(browser, collector) as visit:
        visit.open("window=all&select=weather:forecast").wait_for_rows()
        detail = visit.page.locator("#detail-text")
        counted = shop.calls["weather:forecast"]
        expect(detail).to_contain_text(f"{counted} in all")
        send("later")
        expect(detail).to_contain_text(f"{counted + 1} in all")
        visit.page.keyboard.press("p")
        expect(visit.page.locator("#live")).to_contain_text("paused at")
        send("later still")
        collector.wait_for(f"{FAMILY}_count", counted + 2, method="weather:forecast")
        expect(detail).to_contain_text(f"{counted + 1} in all")
        visit.page.keyboard.press("p")
        expect(detail).to_contain_text(f"{counted + 2} in all")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_it(browser: Any, collector: Collector, noon: int, scheme: str) -> None:
    with visiting(browser, collector, color_scheme=scheme) as visit:
        for view in (
            f"window={noon}..&compare=0..{noon}&select=Checkout:post.reserve",
            "window=all&search=query",
            "window=all&of=query",
        ):
            visit.open(view).wait_for_rows()
            assert visit.violations() == [], view
    with visiting(browser, collector, color_scheme=scheme, size=PHONE) as visit:
        visit.open("window=all&zoom=Orders:get").wait_for_rows()
        assert visit.violations() == []
        page = visit.page.evaluate("document.documentElement.scrollWidth")
        assert page <= PHONE[0], "nothing but the table is wider than the screen"
