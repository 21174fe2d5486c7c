"""Create the tables of HPatches: which of four points matches REF under another view or light.

Reads: the receipt ``acquired.json`` and, next to it, the folders of sequences.
Writes: ``items.parquet``, ``images.parquet``, ``regions.parquet``, and the images next to them.

    python -m eyechart.data.layouts.hpatches.prepare --dataset hpatches \
        --receipt data/raw/hpatches/acquired.json --seed 7 \
        --settings '{"splits": ["test"], "test_share": 1, "most": 300, "apart": 0.1,
                     "wording": {"low_level_matching": "Which point corresponds to REF?"},
                     "canvas": true, "marks": true, "square": true, "canvas_px": 672,
                     "columns": null, "gap": 0.04, "margin": 0, "background": "white",
                     "label_share": 0.06}' \
        --items results/datasets/hpatches/items.parquet \
        --images results/datasets/hpatches/images.parquet \
        --regions results/datasets/hpatches/regions.parquet
"""

import logging
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from eyechart.core.step import command
from eyechart.data import preparation
from eyechart.data.canvas import items as canvas_items
from eyechart.data.canvas.correspondence import CHOICES, match
from eyechart.data.canvas.items import Puzzle, PuzzleView
from eyechart.data.canvas.tables import PuzzleWriter, puzzle_writer
from eyechart.data.canvas.tasks import LOW_LEVEL
from eyechart.data.layouts.hpatches import layout
from eyechart.data.open_image import decode, read_image
from eyechart.tables.regions import LETTERS

_CELLS = 24  # grid cells along the first image's longer side, one candidate each
_EDGE = 0.02  # minimum distance of a mark to the border, as a share of the longer side
_WIDTH = 2.0  # size of the window for corner detection, in px
_log = logging.getLogger(__name__)


def strength(grey: np.ndarray) -> np.ndarray:
    """Return the corner strength of every pixel of a grey image, both of shape (h, w).

    It is the smaller eigenvalue of the structure tensor (Shi & Tomasi, CVPR 1994).
    """
    down, across = np.gradient(gaussian_filter(grey.astype(np.float64), 1.0))
    xx, yy, xy = (gaussian_filter(p, _WIDTH) for p in (across**2, down**2, across * down))
    return (xx + yy) / 2 - np.sqrt(((xx - yy) / 2) ** 2 + xy**2)


def corners(grey: np.ndarray, cells: int) -> np.ndarray:
    """Return the strongest pixel per grid cell, restricted to the stronger half of them.

    ``grey`` has the shape (h, w), and ``cells`` along its longer side. The pixels are int64 of
    shape (n, 2): x and y indices, strongest first.
    """
    found = strength(grey)
    step = max(max(grey.shape) // cells, 1)
    best = []
    for top in range(0, grey.shape[0], step):
        for left in range(0, grey.shape[1], step):
            cell = found[top : top + step, left : left + step]
            y, x = np.unravel_index(int(cell.argmax()), cell.shape)
            best.append((float(cell[y, x]), left + int(x), top + int(y)))
    best.sort(key=lambda one: (-one[0], one[1:]))
    return np.array([one[1:] for one in best[: max((len(best) + 1) // 2, 1)]], np.int64)


def puzzle_of(
    root: Path, sequence: str, number: int, args: preparation.WithRegions
) -> Puzzle | None:
    """Return the puzzle of a sequence's first image and another image.

    REF is a corner of the first image, the answer is its projection onto the other image, and the
    other choices are projections of other corners. Return None if no four of these are on the other
    image far enough apart; ``apart`` is a share of its longer side. Raise a UserError for a file
    that cannot be read.
    """
    paths = [root / layout.image_path(sequence, n) for n in (1, number)]
    homography_path = root / layout.homography(sequence, number)
    matrix = layout.read_homography(homography_path)
    first, other = (decode(read_image(path, sequence), path)[0] for path in paths)
    found = corners(np.asarray(first.convert("L"), np.float64), _CELLS)
    found = found[_inside(found, first.size)]
    visible = layout.project(matrix, found)
    possible = [int(n) for n in np.flatnonzero(_inside(visible, other.size))]
    source, target = ([(float(x) + 0.5, float(y) + 0.5) for x, y in of] for of in (found, visible))
    name = f"{sequence}_1_{number}"
    apart = args.settings["apart"] * max(other.size)
    made = match(source, target, apart, possible, args.dataset, args.seed, name)
    if made is None:
        return None
    return Puzzle(
        where=str(homography_path),
        item_id=name,
        split=args.settings["splits"][0],
        task=LOW_LEVEL,
        type=layout.KINDS[sequence[0]],
        prompt=canvas_items.apply_wording(args.settings["wording"][LOW_LEVEL], ""),
        choices=list(LETTERS[:CHOICES]),
        answer=made.letter,
        views=[
            PuzzleView(f"{sequence}_1", paths[0], str(paths[0]), [made.ref]),
            PuzzleView(f"{sequence}_{number}", paths[1], str(paths[1]), made.options),
        ],
        ties=[sequence],
        meta={"sequence": sequence, "image": number},
    )


def _inside(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    edge, far = _EDGE * max(size), np.array(size) - 1
    # comparisons with NaN (no projection) are false
    inside: np.ndarray = (points >= edge) & (points <= far - edge)
    return np.asarray(inside.all(axis=1))


def prepare(args: preparation.WithRegions, root: Path, writer: PuzzleWriter) -> None:
    """Add every requested pair of images to the tables."""
    (split,) = args.settings["splits"]
    names = [f"{s}/{n}" for s in layout.sequences(root) for n in range(2, layout.LAST + 1)]
    unused = []
    for name in writer.chosen(names, split):
        sequence, number = name.split("/")
        puzzle = puzzle_of(root, sequence, int(number), args)
        if puzzle:
            writer.add(puzzle)
        else:
            unused.append(name)
    if unused:
        _log.warning("omitted because no four points on both images are far enough apart: %s",
                     ", ".join(unused))  # fmt: skip


@command
def main(args: preparation.WithRegions) -> None:
    """Write images and tables."""
    with puzzle_writer(args, layout.NAME, [LOW_LEVEL]) as writer:
        prepare(args, writer.root, writer)


if __name__ == "__main__":
    main()
