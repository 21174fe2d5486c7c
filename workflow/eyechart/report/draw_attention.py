"""Draw where one model looks on one dataset: charts as SVG, PNG and CSV, and a few items as PNG.

Reads:  results/attention/<model>/<dataset>/{summary,maps,lens,words}.parquet, and the dataset's
        items, images and, where it has some, regions
Writes: {looks,heads,masses,settling}.{svg,png,csv} and item-N.png beside --output, then --output, a
        manifest with path, bytes and sha256 of each

    python -m eyechart.report.draw_attention --model tiny_llava --dataset depth \
        --summary results/attention/tiny_llava/depth/summary.parquet \
        --items results/datasets/depth/items.parquet \
        --images results/datasets/depth/images.parquet \
        --regions results/datasets/depth/regions.parquet \
        --settings '{"alpha": 0.01, "png_scale": 2, "layers": 3, "pictures": 6, \
            "gallery_px": 260}' \
        --output results/report/figures/attention/depth/tiny_llava/figures.json
"""

import argparse
import json
from pathlib import Path

from eyechart import errors
from eyechart.report.attention import read_looking, read_shown
from eyechart.report.attention_page import turns
from eyechart.report.attention_pictures import sheet
from eyechart.report.chart_attention import heads, looks, masses, settling
from eyechart.report.chart_style import draw
from eyechart.tables.files import atomic, describe, write_json


def parse_args(argv: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--dataset", required=True)
    for name in ("summary", "items", "images", "output"):
        parser.add_argument(f"--{name}", required=True, type=Path)
    parser.add_argument("--regions", required=True, nargs="*", type=Path, help="one, or nothing")
    parser.add_argument("--settings", required=True, type=json.loads)
    return parser.parse_args(argv)


def draw_items(args: argparse.Namespace) -> list[Path]:
    """Draw the items that have a map."""
    regions = next(iter(args.regions), None)
    shown = read_shown(args.summary.parent, args.items, args.images, regions)
    found = []
    for n, one in enumerate(turns(shown, args.settings["pictures"]), start=1):
        image = sheet(one, args.settings["layers"], args.settings["gallery_px"])
        found.append(args.output.with_name(f"item-{n}.png"))
        with atomic(found[-1]) as partial:
            image.save(partial, "PNG", optimize=True)
    return found


def main(argv: list[str]) -> None:
    """Draw all figures, then write their manifest."""
    args = parse_args(argv)
    (looking,) = read_looking([args.summary])
    if (looking.model, looking.dataset) != (args.model, args.dataset):
        raise errors.UserError(
            f"--summary: {args.summary} is of {looking.model} on {looking.dataset}, "
            f"expected {args.model} on {args.dataset}"
        )
    charts = {
        "looks": looks(looking),
        "heads": heads(looking, args.settings["alpha"]),
        "masses": masses(looking),
        "settling": settling(looking),
    }
    folder, scale = args.output.parent, args.settings["png_scale"]
    paths = [p for name, chart in charts.items() for p in draw(folder / name, chart, scale)]
    paths += draw_items(args)
    files = [{**describe(path), "path": path.name} for path in paths]
    write_json(args.output, {"model": args.model, "dataset": args.dataset, "files": files})


if __name__ == "__main__":
    errors.run(main)
