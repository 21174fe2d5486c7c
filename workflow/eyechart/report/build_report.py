"""Build the report: one page that contains everything and needs no network or server.

Reads:  the tables of all sections (see eyechart.report.registry), benchmarks <dir>/<rule>/….jsonl
Writes: --output

    python -m eyechart.report.build_report --sections datasets probing \
        --settings "$SETTINGS" --benchmarks benchmarks \
        --configuration results/configuration.json --tables results/datasets/clevr/items.parquet \
            results/datasets/clevr/images.parquet \
            results/probing/tiny_clip/clevr/object_count.parquet \
            results/probing/tiny_clip/clevr/object_count.predictions.parquet \
        --output results/report/index.html
"""

from collections.abc import Collection
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import vl_convert

from eyechart.core.files import read_json
from eyechart.core.step import Json, Paths, command
from eyechart.report.chart_style import VEGALITE
from eyechart.report.files import Inputs
from eyechart.report.labels import Criteria, join_findings
from eyechart.report.registry import SECTIONS
from eyechart.report.templates import FOLDER, open_templates, render_section, write_page

EMBED = "window.vegaEmbed = vegaEmbed;"  # the parts of the bundle that page.js calls
HINT = "show fewer or smaller images (report: gallery, differing, gallery_px)"


def build_sections(
    inputs: Inputs, settings: dict[str, Any], names: Collection[str]
) -> list[dict[str, Any]]:
    """Return the given sections that have content.

    Result: rows with ``name``, ``title``, ``about``, ``html``, ``findings`` (per dataset and model:
    sentences) and ``script``.
    """
    criteria = Criteria(settings["alpha"], settings["selectivity"])
    found = []
    for name, section in SECTIONS.items():
        if name not in names:
            continue
        page = import_module(f"eyechart.report.sections.{name}.page")
        context = page.context(inputs, settings)
        if context is None:
            continue
        script = FOLDER / "sections" / name / "page.js"
        found.append(
            {
                "name": name,
                "title": section.title,
                "about": section.heading.removeprefix(section.title),
                "html": render_section(name, **context, settings=settings, criteria=criteria),
                "findings": context.get("findings") or [],
                "script": script.read_text(encoding="utf-8") if script.exists() else "",
            }
        )
    return found


def build(
    tables: list[Path], settings: dict[str, Any], names: Collection[str] = tuple(SECTIONS)
) -> str:
    """Return the text of the page with some sections."""
    sections = build_sections(Inputs(tables), settings, names)
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


@command
def main(
    *,
    sections: Annotated[list[str], {"choices": list(SECTIONS)}],
    settings: Json,
    tables: Paths,
    benchmarks: Path,
    configuration: Path,
    output: Path,
) -> None:
    """Write the page; raise a UserError if it is too large."""
    own = {"benchmarks": str(benchmarks), "folder": str(output.parent)}
    text = build(tables, settings | own | {"configuration": read_json(configuration)}, sections)
    write_page(output, text, settings["megabytes"], HINT)


if __name__ == "__main__":
    main()
