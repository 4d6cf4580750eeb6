"""
Write THIRD_PARTY_LICENSES.txt: the licences of all that is compiled into the wheel.

`python3 -m tools.licenses` writes it. Fails for a licence that has not been looked at yet: those of
`ACCEPTED` allow what a wheel does.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
FILE = PROJECT / "THIRD_PARTY_LICENSES.txt"
# The package whose dependencies are in the wheel, and the systems that wheels are built for.
PACKAGE = "phanos"
PLATFORMS = (
    "x86_64-unknown-linux-gnu",
    "aarch64-unknown-linux-gnu",
    "x86_64-unknown-linux-musl",
    "aarch64-unknown-linux-musl",
    "x86_64-apple-darwin",
    "aarch64-apple-darwin",
)
ACCEPTED = {
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
}
TEXTS = re.compile(r"(licen[cs]e|copying|notice)", re.IGNORECASE)


class UnknownLicenseError(Exception):
    """A dependency has a licence that is not among the accepted ones."""


def compiled_in() -> list[dict[str, Any]]:
    """Return what cargo knows of each crate in the wheel, ours left out, sorted by name."""
    wanted: dict[str, dict[str, Any]] = {}
    for platform in PLATFORMS:
        metadata = _metadata(platform)
        packages = {package["id"]: package for package in metadata["packages"]}
        edges = {node["id"]: node["deps"] for node in metadata["resolve"]["nodes"]}
        (root,) = (one["id"] for one in packages.values() if one["name"] == PACKAGE)
        reached, waiting = {root}, [root]
        while waiting:
            for edge in edges[waiting.pop()]:
                normal = any(kind["kind"] is None for kind in edge["dep_kinds"])
                if normal and edge["pkg"] not in reached:
                    reached.add(edge["pkg"])
                    waiting.append(edge["pkg"])
        wanted |= {one: packages[one] for one in reached if packages[one]["source"] is not None}
    return sorted(wanted.values(), key=lambda one: (one["name"], one["version"]))


def _metadata(platform: str) -> dict[str, Any]:
    command = ["cargo", "metadata", "--locked", "--format-version=1", "--filter-platform", platform]
    answer = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    metadata: dict[str, Any] = json.loads(answer.stdout)
    return metadata


def check_accepted(package: dict[str, Any]) -> None:
    """Raise `UnknownLicenseError` unless each alternative that we may choose is accepted."""
    expression = (package["license"] or "").replace("/", " OR ").replace("(", "").replace(")", "")
    for part in expression.split(" AND "):
        if not any(choice.strip() in ACCEPTED for choice in part.split(" OR ")):
            raise UnknownLicenseError(
                f"{package['name']} {package['version']} has the licence "
                f"{package['license']!r}; accepted are {', '.join(sorted(ACCEPTED))}"
            )


def texts(package: dict[str, Any]) -> list[str]:
    """
    Return the files with a licence that a crate brings, without trailing spaces.

    Where a crate lets us choose and MIT is a choice, that is chosen: the shortest.
    """
    folder = Path(package["manifest_path"]).parent
    files = sorted(path for path in folder.iterdir() if path.is_file() and TEXTS.match(path.name))
    if " AND " not in package["license"]:
        files = [path for path in files if "MIT" in path.name] or files
    found = [path.read_text(errors="replace") for path in files]
    return ["\n".join(line.rstrip() for line in text.strip().splitlines()) for text in found]


def document() -> str:
    """Return the whole file: each text once, under the crates that bring it."""
    packages = compiled_in()
    users: defaultdict[str, list[str]] = defaultdict(list)
    lines = ["The extension module of this package contains the following crates.", ""]
    for package in packages:
        check_accepted(package)
        title = f"{package['name']} {package['version']}"
        lines.append(f"- {title} ({package['license']}), {package['repository'] or 'crates.io'}")
        for text in texts(package):
            users[text].append(title)
    for text, titles in users.items():
        lines += ["", "-" * 80, f"{', '.join(titles)}:", "", text]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write the file."""
    try:
        FILE.write_text(document())
    except UnknownLicenseError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
