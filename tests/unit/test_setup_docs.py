"""Documents: a short README, every page in the site's navigation, and links that resolve."""

import re
import runpy
from collections.abc import Iterator

import pytest
import yaml
from documented_commands import ROOT

from eyechart.plan import paths

HOOKS = runpy.run_path(str(ROOT / "docs/mkdocs_hooks.py"))
PAGES: dict[str, str] = HOOKS["PAGES"]
DOCUMENTS = sorted(
    {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md")}
    | set(PAGES.values())
)
COMMANDS = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def text_of(document: str) -> str:
    return _FENCE.sub("", (ROOT / document).read_text(encoding="utf-8"))


def anchors(document: str) -> set[str]:
    """Return the anchors of a document's headings, as MkDocs and code hosts name them."""
    headings = re.findall(r"^#+ (.+)$", text_of(document), re.MULTILINE)
    slugs = [re.sub(r"[^\w\- ]", "", heading.lower()).strip() for heading in headings]
    return {re.sub(r"[\s]+", "-", slug) for slug in slugs}


def pages(nav: object) -> Iterator[str]:
    """Yield the pages of the site's navigation."""
    if isinstance(nav, str):
        yield nav
    for part in nav.values() if isinstance(nav, dict) else nav if isinstance(nav, list) else ():
        yield from pages(part)


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 150


def test_every_document_is_in_the_navigation_of_the_site() -> None:
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    listed = list(pages(site["nav"]))
    own = {path.name for path in (ROOT / "docs").glob("*.md")}
    assert sorted(listed) == sorted(own | set(PAGES))
    assert site["theme"]["font"] is False and site["plugins"] == ["search"]  # works offline


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_leads_to_a_file_and_a_heading(document: str) -> None:
    text = text_of(document)
    for link, target in HOOKS["targets"](document, text):
        assert (ROOT / target).exists(), link[0]
        if link[3]:
            assert link[3].removeprefix("#") in anchors(target), link[0]
    for anchor in re.findall(r"\]\(#([^)]+)\)", text):
        assert anchor in anchors(document), anchor


def test_links_are_rewritten_for_the_site() -> None:
    text = "[a](docs/tutorial.md#x) ![b](docs/model_card.png) [c](CITATION.cff) "
    text += "[d](https://e.org) [f](#g)"
    assert HOOKS["rewrite"]("README.md", text) == (
        "[a](tutorial.md#x) ![b](model_card.png) [c](files/CITATION.cff) [d](https://e.org) [f](#g)"
    )
    assert HOOKS["rewrite"]("docs/models.md", "[c](../config/README.md)") == "[c](configuration.md)"
    assert HOOKS["rewrite"]("bench/mining.md", "[c](../docs/a.md)") == "[c](../a.md)"


def test_every_preset_is_listed() -> None:
    listed = (ROOT / "config/README.md").read_text(encoding="utf-8")
    presets = [f"presets/{path.name}" for path in (ROOT / "config/presets").glob("*.yaml")]
    assert [name for name in presets if f"| `{name}` |" not in listed] == []


def test_the_page_of_commands_lists_every_make_target() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (targets,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert [name for name in targets.split() if f"`make {name}`" not in COMMANDS] == []


def test_the_page_of_commands_lists_every_result_file() -> None:
    patterns = [p for p in paths.PATTERNS.values() if p.text.startswith(paths.ROOT)]
    texts = [re.sub(r"\{(\w+)\}", r"<\1>", p.text.replace(paths.ROOT, "results")) for p in patterns]
    for text in texts:
        folder, _, name = text.rpartition("/")
        lines = [line for line in COMMANDS.splitlines() if f"`{folder}/" in line]
        assert any(f"/{name}`" in line or f"`{name}`" in line for line in lines), text


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_table_row_and_every_command_is_on_one_line(document: str) -> None:
    rows = [line for line in text_of(document).splitlines() if line.startswith("|")]
    assert [row for row in rows if not row.rstrip().endswith("|")] == []
    blocks = _FENCE.findall((ROOT / document).read_text(encoding="utf-8"))
    commands = [line.partition("#") for block in blocks for line in block.splitlines()]
    assert [line for line in commands if re.search(r"snakemake (-|results/)", line[2])] == []
