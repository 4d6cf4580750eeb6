"""The Markdown pages of the repository: their programs, links and headings."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
WITHOUT_PAGES = {"target", "dist", "build"}
"""Folders of what was built; those whose name starts with a dot have none either."""

NOT_RUN = re.compile(r"<!-- not run here: (.+) -->")
OUTPUT = "text"
FENCE = re.compile(r"^```(\w*)$")
HEADING = re.compile(r"^#{1,6} (.+)$")
LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\]\([^)]*\))*\]\(([^)\s]+)\)")
CODE = re.compile(r"(`+).+?\1")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str
    text: str
    not_run: str | None
    """Why the tests of pages do not run it; None where they do."""


@dataclass(frozen=True)
class Program:
    """A block of Python, and what the page says that it prints; None where it says nothing."""

    text: str
    output: str | None
    not_run: str | None


def all_pages() -> list[str]:
    """Paths of all Markdown files that belong to the repository, from its top."""
    found: list[str] = []
    for folder, folders, files in os.walk(REPOSITORY):
        folders[:] = [
            name for name in folders if not name.startswith(".") and name not in WITHOUT_PAGES
        ]
        here = Path(folder).relative_to(REPOSITORY)
        found += [(here / name).as_posix() for name in files if name.endswith(".md")]
    return sorted(found)


def text_of(page: str) -> str:
    """Return the source of a page."""
    return (REPOSITORY / page).read_text(encoding="utf-8")


def blocks(text: str) -> list[Block]:
    """Fenced blocks in order, each with the marker that stands right above it."""
    found: list[Block] = []
    language: str | None = None
    not_run: str | None = None
    lines: list[str] = []
    for line in text.splitlines():
        fence = FENCE.match(line)
        if language is not None and line == "```":
            found.append(Block(language, "".join(f"{one}\n" for one in lines), not_run))
            language, not_run = None, None
        elif language is not None:
            lines.append(line)
        elif fence is not None:
            language, lines = fence[1], []
        else:
            marker = NOT_RUN.fullmatch(line)
            not_run = marker[1] if marker is not None else None
    assert language is None, "a fence is not closed"
    return found


def programs(page: str) -> list[Program]:
    """Blocks of Python in order; a block of text that follows one is what it prints."""
    found = blocks(text_of(page))
    return [
        Program(
            block.text,
            after.text if after is not None and after.language == OUTPUT else None,
            block.not_run,
        )
        for block, after in zip_longest(found, found[1:])
        if block.language == "python"
    ]


def prose(text: str) -> Iterator[str]:
    """Lines outside of fenced blocks."""
    inside = False
    for line in text.splitlines():
        if line.startswith("```"):
            inside = not inside
        elif not inside:
            yield line


def links(text: str) -> list[str]:
    """Targets of links and pictures, code left out."""
    return [target for line in prose(text) for target in LINK.findall(CODE.sub("", line))]


def anchors(text: str) -> set[str]:
    """What links to headings of a page end in, as GitHub and the site make it of them."""
    seen: Counter[str] = Counter()
    found: set[str] = set()
    for line in prose(text):
        if heading := HEADING.match(line):
            kept = re.sub(r"[^\w\- ]", "", heading[1].strip().lower())
            anchor = kept.replace(" ", "-")
            found.add(f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor)
            seen[anchor] += 1
    return found
