"""Draw what one model takes coloured words for, each figure as SVG, PNG and the CSV of it.

Reads:  results/concepts/<model>/<dataset>/{cues,separation,projection}.parquet
Writes: {cues_by_components,cues_by_address,separation,scatter,confusion}.{svg,png,csv} beside
        --output, then --output, a manifest with path, bytes and sha256 of each

    python -m eyechart.report.draw_concepts --model tiny_llava --dataset stroop \
        --tables results/concepts/tiny_llava/stroop/cues.parquet \
            results/concepts/tiny_llava/stroop/separation.parquet \
            results/concepts/tiny_llava/stroop/projection.parquet \
        --settings '{"png_scale": 2}' \
        --output results/report/figures/concepts/stroop/tiny_llava/figures.json
"""

import argparse
import json
from pathlib import Path

from eyechart import errors
from eyechart.report import chart_concepts, chart_concepts_maps
from eyechart.report.chart_style import Spec, draw
from eyechart.report.concepts import Concepts, read_concepts
from eyechart.tables.files import describe, write_json


def charts(concepts: Concepts) -> dict[str, Spec]:
    """Give all figures by the name of their files."""
    return {
        "cues_by_components": chart_concepts.shares_by_n(concepts),
        "cues_by_address": chart_concepts.shares_by_address(concepts),
        "separation": chart_concepts.separation(concepts),
        "scatter": chart_concepts_maps.scatter(concepts),
        "confusion": chart_concepts_maps.confusions(concepts),
    }


def parse_args(argv: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--tables", required=True, nargs=3, type=Path)
    parser.add_argument("--settings", required=True, type=json.loads)
    parser.add_argument("--output", required=True, type=Path)
    return parser.parse_args(argv)


def main(argv: list[str]) -> None:
    """Draw all figures, then write their manifest."""
    args = parse_args(argv)
    concepts = read_concepts(args.tables)[0]
    if (concepts.model, concepts.dataset) != (args.model, args.dataset):
        raise errors.UserError(
            f"--tables: {args.tables[0]} is of {concepts.model} on {concepts.dataset}, "
            f"expected {args.model} on {args.dataset}"
        )
    folder, scale = args.output.parent, args.settings["png_scale"]
    drawn = charts(concepts).items()
    paths = [path for name, chart in drawn for path in draw(folder / name, chart, scale)]
    files = [{**describe(path), "path": path.name} for path in paths]
    write_json(args.output, {"model": args.model, "dataset": args.dataset, "files": files})


if __name__ == "__main__":
    errors.run(main)
