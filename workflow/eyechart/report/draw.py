"""Draw the figures of one section: charts as SVG, PNG and CSV, images as PNG.

Reads:  the section's tables, see eyechart.report.registry
Writes: {name}.{svg,png,csv} of each chart and {name}.png of each image next to --output, then
        --output, a manifest with path, bytes and sha256 of each

    python -m eyechart.report.draw --section readout --settings '{"png_scale": 2}' \
        --tables results/readout/tiny_llava/blink.parquet \
            results/behavior/scores/tiny_llava/blink.parquet \
        --output results/report/figures/readout/blink/tiny_llava/figures.json
"""

from importlib import import_module
from pathlib import Path
from typing import Annotated

from PIL import Image

from eyechart.core.files import atomic, describe, write_json
from eyechart.core.step import Json, command
from eyechart.report.chart_style import draw
from eyechart.report.files import Inputs
from eyechart.report.registry import SECTIONS


@command
def main(
    *,
    section: Annotated[str, {"choices": list(SECTIONS)}],
    tables: list[Path],
    settings: Json,
    output: Path,
) -> None:
    """Draw all figures, then write their manifest."""
    charts = import_module(f"eyechart.report.sections.{section}.charts")
    paths = []
    for name, figure in charts.figures(Inputs(tables), settings).items():
        stem = output.with_name(name)
        if isinstance(figure, Image.Image):
            paths.append(stem.with_suffix(".png"))
            with atomic(paths[-1]) as partial:
                figure.save(partial, "PNG", optimize=True)
        else:
            paths += draw(stem, figure, settings["png_scale"])
    files = [{**describe(path), "path": path.name} for path in paths]
    write_json(output, {"section": section, "files": files})


if __name__ == "__main__":
    main()
