"""Write mined pairs as a page for browsing, which works offline.

Reads the pairs and the dataset's images; writes a self-contained page.

    python -m eyechart.report.sections.mining.sheet \
        --tables results/mining/tiny_clip_against_tiny_dino/clevr/pairs.parquet \
            results/datasets/clevr/images.parquet \
        --settings '{"mined": 100, "gallery_px": 160, "megabytes": 10}' \
        --output results/mining/tiny_clip_against_tiny_dino/clevr/sheet.html
"""

import json
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa

from eyechart.core.errors import UserError
from eyechart.core.step import Json, command
from eyechart.report.files import Inputs
from eyechart.report.images import embed
from eyechart.report.templates import render_sheet, write_page
from eyechart.tables.pairs import NOTE
from eyechart.tables.parquet import read_table

HINT = "show fewer or smaller images (report: mined, gallery_px)"


def read_note(path: Path, pairs: pa.Table) -> dict[str, Any]:
    """Return the settings and counts of the search, from the table's metadata."""
    metadata = pairs.schema.metadata or {}
    if NOTE not in metadata:
        raise UserError(
            f"{path}: not a table of mined pairs; create it with eyechart.mining.find_pairs"
        )
    note: dict[str, Any] = json.loads(metadata[NOTE])
    return note


def beside(pairs: list[dict[str, Any]], paths: dict[str, str], px: int) -> list[dict[str, Any]]:
    """Return each pair with its two ``images`` (``image_id, source, width, height``)."""
    found = []
    for pair in pairs:
        images = []
        for image_id in (pair["first_id"], pair["second_id"]):
            source, width, height = embed(Path(paths[image_id]), px)
            images.append(
                {"image_id": image_id, "source": source, "width": width, "height": height}
            )
        found.append({**pair, "images": images})
    return found


def build(inputs: Inputs, settings: dict[str, Any]) -> str:
    """Return the text of the page."""
    (path,), (images,) = inputs.paths("pairs"), inputs.paths("images")
    table = read_table(images, ["image_id", "path"]).to_pydict()
    paths = dict(zip(table["image_id"], table["path"], strict=True))
    pairs = read_table(path)
    note = read_note(path, pairs)
    try:
        shown = beside(pairs.to_pylist()[: settings["mined"]], paths, settings["gallery_px"])
    except KeyError as error:
        raise UserError(f"{path}: image {error} is not in {images}; mine pairs again") from None
    return render_sheet("mining", **note, pairs=shown, kept=pairs.num_rows)


@command
def main(*, tables: Annotated[list[Path], {"nargs": 2}], settings: Json, output: Path) -> None:
    """Write one page."""
    text = build(Inputs(tables), settings)
    write_page(output, text, settings["megabytes"], HINT)


if __name__ == "__main__":
    main()
