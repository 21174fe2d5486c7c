"""Put mined pairs on one page to look through, which works offline.

Reads the pairs and the dataset's pictures; writes a self-contained page.

    python -m eyechart.report.draw_pairs
        --pairs results/mining/tiny_clip_against_tiny_dino/clevr/pairs.parquet
        --images results/datasets/clevr/images.parquet
        --settings '{"mined": 100, "gallery_px": 160, "megabytes": 10}'
        --templates workflow/report
        --output results/mining/tiny_clip_against_tiny_dino/clevr/sheet.html
"""

import argparse
import json
from pathlib import Path
from typing import Any

import pyarrow as pa

from eyechart import errors
from eyechart.errors import UserError
from eyechart.report.gallery import embed
from eyechart.report.templates import open_templates, write_page
from eyechart.tables.pairs import NOTE
from eyechart.tables.parquet import read_table

HINT = "show fewer or smaller pictures (report: mined, gallery_px)"


def read_note(path: Path, pairs: pa.Table) -> dict[str, Any]:
    """Give what was asked and found, as the table's metadata says."""
    metadata = pairs.schema.metadata or {}
    if NOTE not in metadata:
        raise UserError(
            f"{path}: not a table of mined pairs; make it by eyechart.mining.find_pairs"
        )
    note: dict[str, Any] = json.loads(metadata[NOTE])
    return note


def beside(pairs: list[dict[str, Any]], paths: dict[str, str], px: int) -> list[dict[str, Any]]:
    """Give each pair with its two ``pictures`` (``image_id, source, width, height``)."""
    found = []
    for pair in pairs:
        pictures = []
        for image_id in (pair["first_id"], pair["second_id"]):
            source, width, height = embed(Path(paths[image_id]), px)
            pictures.append(
                {"image_id": image_id, "source": source, "width": width, "height": height}
            )
        found.append({**pair, "pictures": pictures})
    return found


def render(templates: Path, note: dict[str, Any], pairs: list[dict[str, Any]], kept: int) -> str:
    """Fill ``pairs.html.j2``; every text from data is escaped."""
    style = (templates / "style.css").read_text(encoding="utf-8")
    template = open_templates(templates).get_template("pairs.html.j2")
    return template.render(**note, pairs=pairs, kept=kept, style=style)


def parse_args(argv: list[str]) -> argparse.Namespace:
    """Parse the command line; every flag is required."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name in ("pairs", "images", "templates"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--settings", type=json.loads, required=True)
    parser.add_argument("--output", type=Path, required=True)
    return parser.parse_args(argv)


def main(argv: list[str]) -> None:
    """Write one page."""
    args = parse_args(argv)
    settings = args.settings
    table = read_table(args.images, ["image_id", "path"]).to_pydict()
    paths = dict(zip(table["image_id"], table["path"], strict=True))
    pairs = read_table(args.pairs)
    note = read_note(args.pairs, pairs)
    try:
        shown = beside(pairs.to_pylist()[: settings["mined"]], paths, settings["gallery_px"])
    except KeyError as error:
        raise UserError(
            f"{args.pairs}: picture {error} is not in {args.images}; mine it again"
        ) from None
    text = render(args.templates, note, shown, pairs.num_rows)
    write_page(args.output, text, settings["megabytes"], HINT)


if __name__ == "__main__":
    errors.run(main)
