"""Create the tables of SPair-71k: which of four keypoints on another image matches REF.

Reads: the receipt ``acquired.json`` and, next to it, ``PairAnnotation/`` and ``JPEGImages/``.
Writes: ``items.parquet``, ``images.parquet``, ``regions.parquet``, and the canvases next to them.

    python -m eyechart.data.layouts.spair.prepare --dataset spair \
        --receipt data/raw/spair/acquired.json --seed 7 \
        --settings '{"splits": ["test"], "test_share": 1, "most": 500, "apart": 0.08,
                     "wording": {"semantic_correspondence": "Which point corresponds to REF?"},
                     "canvas": true, "marks": true, "square": true, "canvas_px": 672,
                     "columns": null, "gap": 0.04, "margin": 0, "background": "white",
                     "label_share": 0.06}' \
        --items results/datasets/spair/items.parquet \
        --images results/datasets/spair/images.parquet \
        --regions results/datasets/spair/regions.parquet
"""

import logging
from pathlib import Path

from eyechart.core.randomness import seed_for
from eyechart.core.step import command
from eyechart.data import preparation
from eyechart.data.canvas import items as canvas_items
from eyechart.data.canvas.correspondence import CHOICES, match, move_onto
from eyechart.data.canvas.items import Puzzle, PuzzleView
from eyechart.data.canvas.tables import PuzzleWriter, puzzle_writer
from eyechart.data.canvas.tasks import SEMANTIC
from eyechart.data.layouts.spair import layout
from eyechart.data.layouts.spair.layout import Keypoints, SpairPair
from eyechart.data.open_image import decode, read_image
from eyechart.tables.regions import LETTERS

_log = logging.getLogger(__name__)


def puzzle_of(
    root: Path, pair: SpairPair, split: str, args: preparation.WithRegions
) -> tuple[Puzzle | None, int]:
    """Return the puzzle of a pair, and the number of points that were moved onto their images.

    The puzzle is None if no four keypoints are far enough apart; ``apart`` is a share of the second
    image's longer side. Keypoints are pixel indices, so marks are at pixel centres. Raise a
    UserError if the annotation or an image cannot be read, or a keypoint is outside its image.
    """
    found = layout.read_keypoints(root, pair)
    if len(found.ids) < CHOICES:
        return None, 0
    points, apart, moved = _points(root, pair, found, args.settings["apart"])
    seeds = (args.dataset, args.seed, pair.name)
    made = match(points[0], points[1], apart, range(len(found.ids)), *seeds)
    if made is None:
        return None, moved
    names = [f"{pair.category}_{Path(path).stem}" for path in (pair.source, pair.target)]
    letters = list(LETTERS[:CHOICES])
    return Puzzle(
        where=str(root / pair.annotation),
        item_id=pair.name,
        split=split,
        task=SEMANTIC,
        type=pair.category,
        prompt=canvas_items.apply_wording(args.settings["wording"][SEMANTIC], ""),
        choices=letters,
        answer=made.letter,
        views=[
            PuzzleView(names[0], root / pair.source, pair.annotation, [made.ref]),
            PuzzleView(names[1], root / pair.target, pair.annotation, made.options),
        ],
        ties=names,
        meta={"keypoints": [found.ids[number] for number in made.chosen]},
    ), moved


def _points(
    root: Path, pair: SpairPair, found: Keypoints, apart: float
) -> tuple[list[list[tuple[float, float]]], float, int]:
    """Return the points of both images, their minimum distance in px, and the number moved."""
    points, moved, size = [], 0, (0, 0)
    for name, of in ((pair.source, found.source), (pair.target, found.target)):
        size = decode(read_image(root / name, pair.annotation), root / name)[0].size
        middles = [(x + 0.5, y + 0.5) for x, y in of]
        kept, far = move_onto(middles, size, f"{root / pair.annotation}: {Path(name).name}")
        points.append(kept)
        moved += far
    return points, apart * max(size), moved


def prepare(args: preparation.WithRegions, root: Path, writer: PuzzleWriter) -> None:
    """Add the pairs that yield an item to the tables, in seeded order."""
    most = args.settings["most"]
    for split in args.settings["splits"]:
        found = layout.pairs(root, split)
        found.sort(key=lambda p: seed_for("most", args.dataset, args.seed, split, p.annotation))
        count = skipped = moved = 0
        for pair in found:
            if count == most:
                break
            puzzle, far = puzzle_of(root, pair, split, args)
            moved += far
            if puzzle:
                writer.add(puzzle)
                count += 1
            else:
                skipped += 1
        _log.info(
            "%s: %d of %d pairs yield an item; %d do not, because no four keypoints are far enough "
            "apart",
            *(split, count, len(found), skipped),
        )
        if moved:
            _log.warning("%s: %d keypoints were up to a pixel outside and were moved", split, moved)


@command
def main(args: preparation.WithRegions) -> None:
    """Write images and tables."""
    with puzzle_writer(args, layout.NAME, [SEMANTIC]) as writer:
        prepare(args, writer.root, writer)


if __name__ == "__main__":
    main()
