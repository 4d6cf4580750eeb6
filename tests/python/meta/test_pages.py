"""The pages: their programs print what they say, and their links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest
from pages import REPOSITORY, all_pages, anchors, blocks, links, programs, text_of
from support import output_of

SEPARATOR = "\x1e"
MOST_NOT_RUN = 2
ALL = all_pages()
FOR_USERS = [
    page for page in ALL if page in ("README.md", "python/README.md") or page.startswith("docs/")
]
RUN = {
    page: run
    for page in FOR_USERS
    if (run := [program for program in programs(page) if program.not_run is None])
}
README_LINES = 150


def pattern_of(output: str) -> str:
    """What a page shows as output, as a regular expression: durations differ."""
    records = re.sub(r"\d+\\\.\d+(?=\\ mS)", r"\\d+\\.\\d+", re.escape(output))
    return re.sub(r"(?:\\ )+\d+\\\.\d+(?=\\ ms)", r"\\ +\\d+\\.\\d+", records)


def broken(page: str, target: str) -> str | None:
    """What is wrong with a link; None for one that leads somewhere, or to another host."""
    if re.match(r"[a-z]+:", target):
        return None
    path, _, anchor = target.partition("#")
    file = (REPOSITORY / page).parent / unquote(path) if path else REPOSITORY / page
    if target.startswith("/") or not file.exists():
        return f"{target}: no such file"
    if not file.resolve().is_relative_to(REPOSITORY.resolve()):
        return f"{target}: outside of the repository"
    if anchor and anchor not in anchors(file.read_text(encoding="utf-8")):
        return f"{target}: no such heading"
    return None


def test_pages_are_found():
    assert {"README.md", "COMPATIBILITY.md", "docs/index.md", "docs/costs.md"} <= set(ALL)
    assert {"README.md", "docs/first-records.md", "docs/web.md"} <= set(RUN)


@pytest.mark.parametrize("page", RUN)
def test_the_programs_of_a_page_print_what_it_says(page: str):
    run = RUN[page]
    # One program in pieces, as a reader would type them in.
    separated = f"\nprint({SEPARATOR!r}, end='', flush=True)\n"
    printed = output_of(separated.join(program.text for program in run)).split(SEPARATOR)
    for program, output in zip(run, printed, strict=True):
        if program.output is not None:
            assert re.fullmatch(pattern_of(program.output), output), (program.output, output)


def test_few_programs_are_not_run():
    reasons = [program.not_run for page in FOR_USERS for program in programs(page)]
    reasons = [reason for reason in reasons if reason is not None]
    assert len(reasons) <= MOST_NOT_RUN, reasons


@pytest.mark.parametrize("page", ALL)
def test_links_lead_somewhere(page: str):
    found = [broken(page, target) for target in links(text_of(page))]
    assert [problem for problem in found if problem is not None] == []


@pytest.mark.parametrize(
    "target", ["docs/nowhere.md", "docs/costs.md#nowhere", "#nowhere", "/README.md", "../../../"]
)
def test_a_broken_link_is_noticed(target: str):
    assert broken("README.md", target) is not None


def test_reading_a_page():
    text = (
        "# A page: `one` (of many)\n## Twice\n## Twice\n"
        "[![picture](a.svg)](b.md#c) and [text](d.md), not `[code](e.md)`\n"
        "<!-- not run here: a reason -->\n```python\n[x](f.md)\n# heading\n```\n\n"
        "```python\nrun()\n```\n"
    )
    assert links(text) == ["b.md#c", "d.md"]
    assert anchors(text) == {"a-page-one-of-many", "twice", "twice-1"}
    assert [block.not_run for block in blocks(text)] == ["a reason", None]
    assert [block.text for block in blocks(text)] == ["[x](f.md)\n# heading\n", "run()\n"]


def test_the_readme_is_short_and_says_where_to_begin():
    text = text_of("README.md")
    assert len(text.splitlines()) <= README_LINES
    for needed in ("make demo", "make test", "pyo3-async-runtimes", "pyo3-asyncio"):
        assert needed in text


@pytest.mark.parametrize(
    "picture", sorted((REPOSITORY / "docs").glob("*.svg")), ids=lambda p: p.name
)
def test_pictures_are_whole_follow_the_readers_theme_and_describe_themselves(picture: Path):
    root = ElementTree.parse(picture).getroot()
    named = {child.tag.rpartition("}")[2]: child.text for child in root}
    assert named["title"]
    assert named["desc"]
    assert "prefers-color-scheme:dark" in (named["style"] or "")
