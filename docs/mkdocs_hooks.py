"""MkDocs hooks: add the documents outside of docs/ to the site, and the files that pages link to.

Documents link to one another by their paths in the project, so the links work wherever the files
are read. The site has all pages in one folder, so these links are rewritten.
"""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
# Documents outside of docs/, by their page on the site
PAGES = {
    "index.md": "README.md",
    "configuration.md": "config/README.md",
    "architecture.md": "ARCHITECTURE.md",
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
    "security.md": "SECURITY.md",
    "testing.md": "tests/README.md",
    **{f"bench/{path.name}": f"bench/{path.name}" for path in sorted(ROOT.glob("bench/*.md"))},
}
LINK = re.compile(r"(\]\()([^)\s#]+)(#[^)\s]*)?(\))")


def page_of(document: str) -> str:
    """Return the path in the site of a file of the project: a page, or a copy under files/."""
    for page, source in PAGES.items():
        if source == document:
            return page
    return document.removeprefix("docs/") if document.startswith("docs/") else f"files/{document}"


def targets(document: str, text: str) -> Iterator[tuple[re.Match[str], str]]:
    """Yield every relative link of a document, and the file of the project that it leads to."""
    for link in LINK.finditer(text):
        if ":" not in link[2]:
            yield link, posixpath.normpath(posixpath.join(posixpath.dirname(document), link[2]))


def rewrite(document: str, text: str) -> str:
    """Return the text of a document with links as they are in the site."""
    folder = posixpath.dirname(page_of(document)) or "."
    pieces, end = [], 0
    for link, target in targets(document, text):
        to = posixpath.relpath(page_of(target), folder)
        pieces += [text[end : link.start()], f"{link[1]}{to}{link[3] or ''}{link[4]}"]
        end = link.end()
    return "".join([*pieces, text[end:]])


def on_files(files: Any, config: Any) -> Any:
    """Add the pages from outside of docs/, and the files that any page links to."""
    from mkdocs.structure.files import File  # noqa: PLC0415 -- installed by `make docs` alone

    documents = [*PAGES.values(), *(f"docs/{f.src_uri}" for f in files.documentation_pages())]
    for page, source in PAGES.items():
        files.append(File.generated(config, page, content=_read(source)))
    linked = {to for document in documents for _, to in targets(document, _read(document))}
    for target in sorted(linked):
        page = page_of(target)
        if page.startswith("files/") and (ROOT / target).is_file():
            files.append(File.generated(config, page, abs_src_path=str(ROOT / target)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Return a page with its links rewritten."""
    uri = page.file.src_uri
    return rewrite(PAGES.get(uri, f"docs/{uri}"), markdown)


def _read(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")
