"""The Rust version that the manifests and the pages promise is the one that the lock file needs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from functools import cache
from typing import Any

import pytest
from pages import REPOSITORY, all_pages, text_of

TIMEOUT_S = 50
PROMISE = re.compile(r"\bRust (?:toolchain )?\(?(\d+\.\d+)")

pytestmark = pytest.mark.skipif(shutil.which("cargo") is None, reason="cargo is not installed")


def version(text: str) -> tuple[int, ...]:
    """1.90 and 1.90.0 are the same."""
    return tuple(int(part) for part in f"{text}.0".split(".")[:3])


def run(*command: str) -> str:
    done = subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@cache
def packages() -> list[dict[str, Any]]:
    """All packages that the lock file has for this platform, our own included."""
    # Those of other platforms are not on this machine: asking for them takes a network.
    host = re.findall(r"^host: (.+)$", run("rustc", "-vV"), re.MULTILINE)[0]
    told = run("cargo", "metadata", "--locked", "--format-version=1", "--filter-platform", host)
    found: list[dict[str, Any]] = json.loads(told)["packages"]
    return found


def promised() -> set[str]:
    """What our own manifests say."""
    return {str(one["rust_version"]) for one in packages() if one["source"] is None}


def test_manifests_promise_what_the_dependencies_need():
    needed = max(
        (version(one["rust_version"]), one["name"])
        for one in packages()
        if one["source"] is not None and one["rust_version"] is not None
    )
    assert {version(text) for text in promised()} == {needed[0]}, needed


def test_pages_name_the_same_version():
    named = {(page, text) for page in all_pages() for text in PROMISE.findall(text_of(page))}
    backend = (REPOSITORY / "tools" / "build" / "phanos_build.py").read_text(encoding="utf-8")
    named |= {("the build backend", text) for text in PROMISE.findall(backend)}
    assert {page for page, _ in named} >= {"README.md", "docs/install.md", "the build backend"}
    assert {version(text) for _, text in named} == {version(text) for text in promised()}, named
