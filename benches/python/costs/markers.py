"""Parts of a page that a program writes, between markers."""

from __future__ import annotations

import re


def replaced(page: str, name: str, text: str) -> str:
    """
    The page with another text between `<!-- name -->` and `<!-- /name -->`.

    Raises:
        ValueError: the page does not have these markers exactly once.
    """
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    pattern = re.compile(f"({re.escape(begin)}\n).*?({re.escape(end)})", re.DOTALL)
    changed, times = pattern.subn(lambda found: f"{found[1]}{text}\n{found[2]}", page)
    if times != 1:
        raise ValueError(
            f"the page needs the markers {begin} and {end} once, has them {times} times"
        )
    return changed
