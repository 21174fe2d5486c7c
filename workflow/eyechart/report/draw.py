"""Draw the figures of one section: charts as SVG, PNG and CSV, images as PNG.

Reads:  the section's tables, see eyechart.report.registry
Writes: {name}.{svg,png,csv} of each chart and {name}.png of each image beside --output, then
        --output, a manifest with path, bytes and sha256 of each

    python -m eyechart.report.draw --section readout --settings '{"png_scale": 2}' \
        --tables results/readout/tiny_llava/blink.parquet \
            results/behavior/scores/tiny_llava/blink.parquet \
        --output results/report/figures/readout/blink/tiny_llava/figures.json
"""

import argparse
import json
from importlib import import_module
from pathlib import Path

from PIL import Image

from eyechart.core import errors
from eyechart.core.files import atomic, describe, write_json
from eyechart.report.files import Inputs
from eyechart.report.registry import SECTIONS
from eyechart.report.style import draw


def parse_args(argv: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--section", required=True, choices=list(SECTIONS))
    parser.add_argument("--tables", required=True, nargs="+", type=Path)
    parser.add_argument("--settings", required=True, type=json.loads)
    parser.add_argument("--output", required=True, type=Path)
    return parser.parse_args(argv)


def main(argv: list[str]) -> None:
    """Draw all figures, then write their manifest."""
    args = parse_args(argv)
    charts = import_module(f"eyechart.report.sections.{args.section}.charts")
    paths = []
    for name, figure in charts.figures(Inputs(args.tables), args.settings).items():
        stem = args.output.with_name(name)
        if isinstance(figure, Image.Image):
            paths.append(stem.with_suffix(".png"))
            with atomic(paths[-1]) as partial:
                figure.save(partial, "PNG", optimize=True)
        else:
            paths += draw(stem, figure, args.settings["png_scale"])
    files = [{**describe(path), "path": path.name} for path in paths]
    write_json(args.output, {"section": args.section, "files": files})


if __name__ == "__main__":
    errors.run(main)
