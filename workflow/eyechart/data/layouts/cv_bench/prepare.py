"""Create the tables of CV-Bench's depth order: which of two objects in boxes is nearer.

Reads: the receipt ``acquired.json`` and, next to it, ``test_3d.parquet``.
Writes: ``items.parquet``, ``images.parquet``, ``regions.parquet``, and the images next to them.

    python -m eyechart.data.layouts.cv_bench.prepare --dataset cv_bench \
        --receipt data/raw/cv_bench/acquired.json --seed 7 \
        --settings '{"splits": ["test"], "test_share": 1, "most": null,
                     "wording": {"depth_order": "Which is nearer, the {a} or the {b}?"},
                     "canvas": true, "marks": true, "square": true, "canvas_px": 672,
                     "columns": null, "gap": 0.04, "margin": 0, "background": "white",
                     "label_share": 0.06}' \
        --items results/datasets/cv_bench/items.parquet \
        --images results/datasets/cv_bench/images.parquet \
        --regions results/datasets/cv_bench/regions.parquet
"""

import logging
import math
from typing import Any

from eyechart.core.errors import UserError
from eyechart.core.step import command
from eyechart.data import preparation
from eyechart.data.canvas import items as canvas_items
from eyechart.data.canvas.items import Puzzle, PuzzleView
from eyechart.data.canvas.tables import PuzzleWriter, puzzle_writer
from eyechart.data.canvas.tasks import DEPTH
from eyechart.data.layouts.cv_bench import layout
from eyechart.data.open_image import decode
from eyechart.data.records import Record, image_bytes, read_rows, text_list, whole_number
from eyechart.tables.regions import LETTERS, Region, box

_COLUMNS = ["idx", "task", "image", "question", "choices", "answer", "source_dataset",
            "source_filename", "bbox"]  # fmt: skip
_log = logging.getLogger(__name__)


def boxes(values: Any, size: tuple[int, int], where: str) -> list[Region]:
    """Return the boxes of a row, each [left, top, right, bottom], clipped to the image.

    Raise a UserError if the cell has another form, or a box is entirely outside the image.
    """
    if not isinstance(values, list) or not all(_is_box(value) for value in values):
        raise UserError(
            f"{where}: bbox is {str(values)[:60]}, expected a list of [left, top, right, bottom]"
        )
    found = []
    for letter, (left, top, right, bottom) in zip(LETTERS, values, strict=False):
        whole = (max(left, 0), max(top, 0), min(right, size[0]), min(bottom, size[1]))
        if whole[0] >= whole[2] or whole[1] >= whole[3]:
            raise UserError(
                f"{where}: box {letter} [{left:g}, {top:g}, {right:g}, {bottom:g}] does not lie on "
                f"its image, which is {size[0]} x {size[1]} px"
            )
        found.append(box(letter, *whole))
    return found


def puzzle_of(record: Record, split: str, wording: str) -> Puzzle:
    """Return the puzzle of a row about depth order.

    Raise a UserError if a cell cannot be read.
    """
    where, values = record
    choices = text_list(values["choices"], "choices", where)
    name = f"depth_{whole_number(values['idx'], 'idx', where):06d}"
    data = image_bytes(values["image"], f"{where}: image")
    size = decode(data, f"{where}: image")[0].size
    regions = boxes(values["bbox"], size, where)
    a, b = (*choices, "", "")[:2]
    source = f"{values['source_dataset']}/{values['source_filename']}"
    return Puzzle(
        where=where,
        item_id=name,
        split=split,
        task=DEPTH,
        type=str(values["source_dataset"]),
        prompt=canvas_items.apply_wording(wording, str(values["question"]).strip(), a=a, b=b),
        choices=choices,
        answer=canvas_items.letter_of(values["answer"], choices, where),
        views=[PuzzleView(f"{name}_1", data, f"{where}: image", regions)],
        ties=[source if values["source_filename"] else name],
        marked=True,
        meta={"question": values["question"], "source": source},
    )


def prepare(settings: dict[str, Any], writer: PuzzleWriter) -> None:
    """Add every requested row about depth order to the tables."""
    (split,) = settings["splits"]
    path, cut = writer.root / layout.ROWS, 0
    depth = [r.values["idx"] for r in read_rows(path, ["idx", "task"]) if layout.is_depth(r)]
    wanted = set(writer.chosen(map(str, depth), split))
    for record in read_rows(path, _COLUMNS):
        if layout.is_depth(record) and str(record.values["idx"]) in wanted:
            puzzle = puzzle_of(record, split, settings["wording"][DEPTH])
            annotated = [value for region in record.values["bbox"] for value in region]
            kept = [value for region in puzzle.views[0].regions for value in region[2:]]
            cut += annotated[: len(kept)] != kept
            writer.add(puzzle)
    if cut:
        _log.warning("%s: boxes of %d items extend beyond their images and were clipped", path, cut)


@command
def main(args: preparation.WithRegions) -> None:
    """Write images and tables."""
    if not args.settings["marks"]:
        raise UserError(
            f"datasets.{args.dataset}.marks is false, but CV-Bench's images have boxes drawn in; "
            "set it to true"
        )
    with puzzle_writer(args, layout.NAME, [DEPTH], True) as writer:
        prepare(args.settings, writer)


def _is_box(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 4
        and all(isinstance(edge, int | float) and math.isfinite(edge) for edge in value)
    )


if __name__ == "__main__":
    main()
