"""Create the tables of MOCHI: which of three or four images shows a different object.

Reads: the receipt ``acquired.json`` and, next to it, ``data/train-….parquet``.
Writes: ``items.parquet``, ``images.parquet``, ``regions.parquet``, and the images next to them.

    python -m eyechart.data.layouts.mochi.prepare --dataset mochi \
        --receipt data/raw/mochi/acquired.json --seed 7 \
        --settings '{"splits": ["train"], "test_share": 1, "most": 500,
                     "wording": {"odd_one_out": "Which image shows a different object?"},
                     "canvas": true, "marks": true, "square": true, "canvas_px": 672,
                     "columns": 2, "gap": 0.04, "margin": 0, "background": "white",
                     "label_share": 0.06}' \
        --items results/datasets/mochi/items.parquet \
        --images results/datasets/mochi/images.parquet \
        --regions results/datasets/mochi/regions.parquet
"""

from typing import Any

from eyechart.core.errors import UserError
from eyechart.core.step import command
from eyechart.data import preparation
from eyechart.data.canvas import items as canvas_items
from eyechart.data.canvas.items import Puzzle, PuzzleView
from eyechart.data.canvas.tables import PuzzleWriter, puzzle_writer
from eyechart.data.canvas.tasks import ODD
from eyechart.data.layouts.mochi import layout
from eyechart.data.records import Record, image_bytes, read_rows, whole_number
from eyechart.tables.regions import LETTERS

_COLUMNS = ["dataset", "condition", "trial", "n_objects", "oddity_index", "images"]
_MOST = 4  # maximum number of images in a trial


def puzzle_of(record: Record, number: int, split: str, wording: str) -> Puzzle:
    """Return the puzzle of the ``number``-th row, from 1.

    Raise a UserError if the number of images is not 3 or 4 or differs from ``n_objects``, or if the
    odd one is not among them.
    """
    where, values = record
    images = values["images"] or []
    count = whole_number(values["n_objects"], "n_objects", where)
    if len(images) != count or not 3 <= count <= _MOST:
        raise UserError(
            f"{where}: {len(images)} images and n_objects {count}, expected equal, 3 or {_MOST}"
        )
    odd = whole_number(values["oddity_index"], "oddity_index", where)
    if not 0 <= odd < count:
        raise UserError(f"{where}: oddity_index is {odd}, expected 0 to {count - 1}")
    name, letters = f"trial_{number:04d}", list(LETTERS[:count])
    views = []
    for place, (letter, image) in enumerate(zip(letters, images, strict=True), 1):
        location = f"{where}: image {place}"
        views.append(
            PuzzleView(f"{name}_{place}", image_bytes(image, location), location, whole=letter)
        )
    kept = {key: values[key] for key in ("dataset", "condition", "trial", "oddity_index")}
    return Puzzle(
        where=where,
        item_id=name,
        split=split,
        task=ODD,
        type=f"{values['dataset']}_{values['condition']}",
        prompt=canvas_items.apply_wording(wording, ""),
        choices=letters,
        answer=letters[odd],
        views=views,
        ties=[name, f"{values['dataset']}/{values['condition']}/{values['trial']}"],
        meta=kept,
    )


def prepare(settings: dict[str, Any], writer: PuzzleWriter) -> None:
    """Add every requested row to the tables."""
    (split,), files = settings["splits"], layout.shards(writer.root)
    count = sum(1 for file in files for _ in read_rows(file, ["trial"]))
    wanted = set(writer.chosen(map(str, range(1, count + 1)), split))
    rows = (record for file in files for record in read_rows(file, _COLUMNS))
    for number, record in enumerate(rows, 1):
        if str(number) in wanted:
            writer.add(puzzle_of(record, number, split, settings["wording"][ODD]))


@command
def main(args: preparation.WithRegions) -> None:
    """Write images and tables."""
    with puzzle_writer(args, layout.NAME, [ODD]) as writer:
        prepare(args.settings, writer)


if __name__ == "__main__":
    main()
