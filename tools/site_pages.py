"""
A hook of mkdocs: files beside docs/ become pages of the site, and no page asks another host.

On the repository's pages a link such as `../examples/flask_app.py` leads to the file itself. On the
site it leads to a page that shows the program.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
SHOWN = ("COMPATIBILITY.md", "CHANGELOG.md", "examples/*.py", "demo/rabbitmq/consumer.py")
LINK = re.compile(r"(?<=\]\()(?P<path>[^)#:\s]+)(?P<anchor>#[^)\s]*)?(?=\))")
FOREIGN = re.compile(
    r"""<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=["']?(?:https?:)?//[^>]*"""
)


def shown() -> dict[str, str]:
    """Path of a file in the repository: path of its page on the site."""
    paths = [path.relative_to(ROOT) for pattern in SHOWN for path in sorted(ROOT.glob(pattern))]
    return {path.as_posix(): path.with_suffix(".md").as_posix() for path in paths}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages."""
    for source, page in shown().items():
        text = (ROOT / source).read_text(encoding="utf-8")
        if source.endswith(".py"):
            text = f"# {source}\n\n```python\n{text}```\n"
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Have links to these files lead to their pages."""
    pages = shown()
    sources = {target: source for source, target in pages.items()}
    here = page.file.src_uri
    docs = PurePosixPath(Path(config.docs_dir).relative_to(ROOT).as_posix())
    # Where the text is in the repository; its links start there.
    written_in = PurePosixPath(sources.get(here, (docs / here).as_posix())).parent

    def on_the_site(link: re.Match[str]) -> str:
        target = normpath((written_in / link["path"]).as_posix())
        if target in pages:
            target = pages[target]
        elif target.startswith(f"{docs}/"):
            target = target.removeprefix(f"{docs}/")
        else:
            return link[0]  # mkdocs says what is wrong with it.
        return relpath(target, PurePosixPath(here).parent) + (link["anchor"] or "")

    return LINK.sub(on_the_site, markdown)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """
    Leave the page as it is.

    Raises:
        PluginError: it would have a browser ask another host for something.
    """
    if found := FOREIGN.search(output):
        raise PluginError(f"{page.file.src_uri} is to ask no other host, but has {found[0]}>")
    return output
