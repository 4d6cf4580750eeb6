"""What stands where no file of the repository does: on an index, in a terminal, in `help`."""

from __future__ import annotations

import importlib
import os
import pydoc
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import phanos
import pytest
from pages import REPOSITORY, links, text_of
from support import output_of

DEADLINE_S = 50
SHOWN = re.search(r'^readme = "(.+)"$', text_of("pyproject.toml"), re.MULTILINE)
assert SHOWN is not None
PAGE = text_of(SHOWN[1])
PICTURE = re.compile(r"!\[[^\]]*\]\(([^)\s]+)|<img[^>]+src=\"([^\"]+)")
ABSOLUTE = re.compile(r"https://")


def leads_nowhere(page: str) -> list[str]:
    """Targets of links and pictures that an index does not find."""
    pictures = [one or other for one, other in PICTURE.findall(page)]
    return [target for target in (*links(page), *pictures) if not ABSOLUTE.match(target)]


def test_the_page_of_an_index_has_no_broken_picture_and_no_broken_link() -> None:
    assert leads_nowhere(PAGE) == []


def test_a_broken_one_is_noticed() -> None:
    page = '[a](docs/a.md) ![b](b.svg) [![c](c.png)](#d) <img src="e.png" alt="">'
    assert {"docs/a.md", "b.svg", "#d", "e.png"} <= set(leads_nowhere(page))
    assert leads_nowhere("[a](https://a.example/) ![b](https://a.example/b.svg)") == []


def told(*arguments: str, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "phanos", *arguments],
        env=os.environ | variables,
        capture_output=True,
        encoding="utf-8",
        timeout=DEADLINE_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_command_alone_says_what_is_installed() -> None:
    said = told(PHANOS_AMQP_URL="amqp://me:secret@broker", PHANOS_JOB="")
    first, *_ = said.splitlines()
    assert first.startswith(f"phanos {phanos.__version__} on CPython {sys.version.split()[0]}")
    for name in phanos.handlers.__all__:
        assert name in said or "Base" in name or not name.endswith("Handler")
    assert "PHANOS_AMQP_URL (set)" in said
    assert "PHANOS_JOB," in said
    assert "secret" not in said
    assert "help(phanos)" in said


def test_with_arguments_it_is_the_command() -> None:
    assert "collect" in told("--help")


def test_the_addresses_of_the_metadata_are_shown(tmp_path: Path) -> None:
    (tmp_path / "phanos-0.4.0.dist-info").mkdir()
    (tmp_path / "phanos-0.4.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.4\nName: phanos\nVersion: 0.4.0\n"
        "Project-URL: Documentation, https://phanos.example/docs\n"
    )
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nfrom phanos import __main__\n"
    said = output_of(f"{code}print(__main__.about())")
    assert "Documentation: https://phanos.example/docs" in said


def test_help_is_a_page_whose_program_runs_and_whose_names_are_there() -> None:
    said = phanos.__doc__
    assert said is not None
    assert "Begin" in pydoc.render_doc(phanos, renderer=pydoc.plaintext)
    importlib.import_module("phanos.testing")
    for dotted in re.findall(r"\bphanos((?:\.\w+)+)", said):
        found: object = phanos
        for name in dotted[1:].split("."):
            found = getattr(found, name)
    for name in re.findall(r"\b\w+Handler\b", said):
        assert hasattr(phanos.handlers, name)
    begin = re.search(
        r"^    import phanos\n.*?^    checkout\(.+?\)\n", said, re.DOTALL | re.MULTILINE
    )
    assert begin is not None
    assert output_of(textwrap.dedent(begin[0])).startswith("__main__:checkout ")
    assert max(map(len, said.splitlines())) <= 100


MATURIN = """
def build_wheel(*arguments): return "built"
def get_requires_for_build_wheel(*arguments): return ["asked maturin"]
"""


@pytest.mark.parametrize("hook", ["get_requires_for_build_wheel", "build_wheel"])
def test_a_build_without_rust_says_in_two_lines_what_is_missing(hook: str, tmp_path: Path) -> None:
    (tmp_path / "maturin.py").write_text(MATURIN)
    variables = {
        "PYTHONPATH": f"{REPOSITORY / 'tools' / 'build'}:{tmp_path}",
        "PATH": str(tmp_path),
    }
    command = [sys.executable, "-c", f"import phanos_build; print(phanos_build.{hook}('.'))"]

    def run(**more: str) -> tuple[int, str, str]:
        done = subprocess.run(
            command,
            env=variables | more,
            capture_output=True,
            encoding="utf-8",
            timeout=DEADLINE_S,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    code, printed, said = run()
    assert (code, printed) == (1, "")
    first, second = said.splitlines()
    assert "Rust" in first
    assert "cargo" in first
    assert "PHANOS_DOWNLOAD_RUST=1" in second
    assert run(PHANOS_DOWNLOAD_RUST="1")[0] == 0
    cargo = tmp_path / "cargo"
    cargo.touch(mode=0o755)
    assert run()[::2] == (0, "")
