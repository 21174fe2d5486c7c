"""Build the report: one page that holds everything and needs neither network nor server.

Reads:  the tables of all sections (see eyechart.report.registry), benchmarks <dir>/<rule>/….jsonl
Writes: --output

    python -m eyechart.report.build_report --settings "$SETTINGS" --benchmarks benchmarks \
        --tables results/datasets/clevr/items.parquet results/datasets/clevr/images.parquet \
            results/probing/tiny_clip/clevr/object_count.parquet \
            results/probing/tiny_clip/clevr/object_count.predictions.parquet \
        --output results/report/index.html
"""

import argparse
import json
from importlib import import_module
from pathlib import Path
from typing import Any

import vl_convert

from eyechart.core import errors
from eyechart.report.files import Inputs
from eyechart.report.registry import SECTIONS
from eyechart.report.style import VEGALITE
from eyechart.report.templates import FOLDER, open_templates, render_section, write_page
from eyechart.report.words import Criteria, join_findings

EMBED = "window.vegaEmbed = vegaEmbed;"  # all of the bundle that page.js calls
HINT = "show fewer or smaller images (report: gallery, differing, gallery_px)"


def parse_args(argv: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--settings", required=True, type=json.loads)
    parser.add_argument("--tables", required=True, nargs="*", type=Path)
    parser.add_argument("--benchmarks", required=True, type=Path)
    parser.add_argument("--output", required=True, type=Path)
    return parser.parse_args(argv)


def build_sections(inputs: Inputs, settings: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the sections that have anything to show.

    Returns
    -------
    list of dict
        ``name``, ``html``, ``links`` (of the navigation: anchor and text), ``findings`` (per
        dataset and model: sentences) and ``script``.
    """
    criteria = Criteria(settings["alpha"], settings["selectivity"])
    found = []
    for name, section in SECTIONS.items():
        page = import_module(f"eyechart.report.sections.{name}.page")
        context = page.context(inputs, settings)
        if context is None:
            continue
        script = FOLDER / "sections" / name / "page.js"
        found.append(
            {
                "name": name,
                "html": render_section(name, **context, settings=settings, criteria=criteria),
                "links": context.get("links") or [(name, section.title)],
                "findings": context.get("findings") or [],
                "script": script.read_text(encoding="utf-8") if script.exists() else "",
            }
        )
    return found


def build(args: argparse.Namespace) -> str:
    """Return the text of the page."""
    settings = args.settings | {"benchmarks": str(args.benchmarks)}
    sections = build_sections(Inputs(args.tables), settings)
    return (
        open_templates()
        .get_template("page.html.j2")
        .render(
            title=settings["title"],
            sections=sections,
            findings=join_findings(*(section["findings"] for section in sections)),
            script=(FOLDER / "page.js").read_text(encoding="utf-8"),
            vega=vl_convert.javascript_bundle(EMBED, vl_version=VEGALITE),
        )
    )


def main(argv: list[str]) -> None:
    """Write the page, unless it is larger than a page may be."""
    args = parse_args(argv)
    write_page(args.output, build(args), args.settings["megabytes"], HINT)


if __name__ == "__main__":
    errors.run(main)
