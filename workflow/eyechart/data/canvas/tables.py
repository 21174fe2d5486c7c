"""Write puzzles as image files and as rows of the tables of items, images and regions."""

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
from PIL import Image

from eyechart.core.errors import UserError
from eyechart.core.files import write_bytes
from eyechart.data import preparation
from eyechart.data.canvas.compose import CanvasStyle, draw_canvas
from eyechart.data.canvas.items import Puzzle, PuzzleView, choose, group_by_ties
from eyechart.data.canvas.tasks import check_wording
from eyechart.data.open_image import decode, png, read_image
from eyechart.data.preparation import Row, WithRegions
from eyechart.tables.receipt import Receipt
from eyechart.tables.regions import ALONE, CANVAS, Region, write_regions

FOLDER = "images"
_SUFFIXES = {"PNG": ".png", "JPEG": ".jpg", "MPO": ".jpg"}  # kept unchanged; others become PNG
_OF_PUZZLE = ("item_id", "split", "prompt", "choices", "answer", "task", "type")
_log = logging.getLogger(__name__)


class PuzzleWriter:
    """Writer of puzzles: their images one by one, and their tables at the end.

    Images are stored in ``images/`` next to images.parquet; files left there by an earlier run
    are removed at the end.
    """

    def __init__(self, args: WithRegions, receipt: Receipt, root: Path) -> None:
        self.args, self.root = args, root
        self.style = CanvasStyle.of(args.settings)
        self.folder: Path = args.images.parent / FOLDER
        self._expected = {entry["path"]: entry["sha256"] for entry in receipt["files"]}
        self._items: list[Row] = []
        self._images: dict[str, Row] = {}
        self._views: dict[str, tuple[str, str]] = {}  # hash and location of each view's source
        self._regions: list[Row] = []
        self._ties: list[list[str]] = []
        self._of_item: list[list[str]] = []  # image ids of each item
        self._unplaced: Counter[str] = Counter()

    def add(self, puzzle: Puzzle) -> None:
        """Check a puzzle, write its views and canvas, and keep its rows.

        Raise a UserError if an image is missing, altered or truncated, or the puzzle is
        inconsistent.
        """
        puzzle.check()
        views = [self._open(puzzle, view) for view in puzzle.views]
        marks = [puzzle.marks(number, view.size) for number, view in enumerate(views)]
        shown = self._show(puzzle, views, marks)
        for view, regions in zip(puzzle.views, marks, strict=True):
            self._keep(puzzle, ALONE, view.image_id, regions)
        if not puzzle.placed:
            self._unplaced[puzzle.task] += 1
        ids = [view.image_id for view in puzzle.views]
        self._of_item.append([*ids, *shown])
        self._ties.append([*puzzle.ties, *(f"~{self._images[name]['sha256']}" for name in ids)])
        known = {"letters": puzzle.letters, "views": ids, "regions": puzzle.placed}
        meta = json.dumps(known | puzzle.meta, ensure_ascii=False)
        row = {name: getattr(puzzle, name) for name in _OF_PUZZLE}
        self._items.append(row | {"images": shown, "pair": None, "meta": meta})

    def chosen(self, names: Iterable[str], *of: str) -> list[str]:
        """Return the names to add, in order: at most ``most`` of them, drawn with the seed."""
        args = self.args
        return choose(names, args.settings["most"], args.dataset, args.seed, *of)

    def close(self) -> None:
        """Group the items, write the three tables, and remove images that are not in a table."""
        divide = preparation.divider(self.args)
        groups = group_by_ties(self._ties)
        for item, name, ids in zip(self._items, groups, self._of_item, strict=True):
            for row in (item, *(self._images[image] for image in ids)):
                row["group"], row["group_split"] = name, divide(name)
        for task, count in sorted(self._unplaced.items()):
            _log.warning(
                "%s: the positions of the marks of %d items are unknown, so they have no regions: "
                "models can answer them, but there can be no readout",
                *(task, count),
            )
        counts = Counter(item["task"] for item in self._items)
        _log.info("%s", ", ".join(f"{task}: {n} items" for task, n in sorted(counts.items())))
        write_regions(self.args.regions, self._regions)
        items = [preparation.as_items(self._items)] if self._items else list[pa.Table]()
        preparation.write_tables(self.args, items, list(self._images.values()), [])
        remove_stale(self.folder, {Path(row["path"]).name for row in self._images.values()})

    def _show(
        self, puzzle: Puzzle, views: list[Image.Image], marks: list[list[Region]]
    ) -> list[str]:
        style = replace(self.style, marks=False) if puzzle.marked else self.style
        together = self.args.settings["canvas"]
        all_of_it = list(range(len(views)))
        shown = []
        for part in [all_of_it] if together else [[number] for number in all_of_it]:
            of = [views[n] for n in part]
            canvas, moved = draw_canvas(of, [marks[n] for n in part], style)
            name = f"{puzzle.item_id}_canvas" + ("" if together else f"_{part[0] + 1}")
            path = self.folder / f"{name}.png"
            data = png(canvas)
            write_bytes(path, data)
            self._row(puzzle, name, path, data, canvas.size, "canvas")
            self._keep(puzzle, CANVAS, name, [region for regions in moved for region in regions])
            shown.append(name)
        return shown

    def _open(self, puzzle: Puzzle, view: PuzzleView) -> Image.Image:
        source = view.source
        data = self._read(source, view.where) if isinstance(source, Path) else source
        image, kind = decode(data, view.where)
        own = hashlib.sha256(data).hexdigest()
        known, where = self._views.setdefault(view.image_id, (own, view.where))
        if known != own:
            raise UserError(
                f"{view.where}: image_id {view.image_id!r} is also the id of another image, in "
                f"{where}; expected unique ids"
            )
        if view.image_id in self._images:
            return image
        if isinstance(source, Path) and kind in _SUFFIXES:
            path = source
        else:
            path = self.folder / f"{view.image_id}{_SUFFIXES.get(kind, '.png')}"
            data = data if kind in _SUFFIXES else png(image)
            write_bytes(path, data)
        self._row(puzzle, view.image_id, path, data, image.size, "view")
        return image

    def _read(self, path: Path, where: str) -> bytes:
        data = read_image(path, where)
        expected = self._expected.get(path.relative_to(self.root).as_posix())
        if expected not in (None, hashlib.sha256(data).hexdigest()):
            raise UserError(
                f"{path}: image was altered since it was acquired; restore it, or delete "
                f"{self.args.receipt} to acquire the dataset again"
            )
        return data

    def _row(
        self, puzzle: Puzzle, name: str, path: Path, data: bytes, size: tuple[int, int], kind: str
    ) -> None:
        self._images[name] = {
            "image_id": name,
            "split": puzzle.split,
            "path": path.as_posix(),
            "sha256": hashlib.sha256(data).hexdigest(),
            "width": size[0],
            "height": size[1],
            "type": kind,
        }

    def _keep(self, puzzle: Puzzle, seen: str, image_id: str, regions: list[Region]) -> None:
        shared = {"item_id": puzzle.item_id, "seen": seen, "image_id": image_id}
        self._regions += [shared | region._asdict() for region in regions]


@contextmanager
def puzzle_writer(
    args: WithRegions, layout: str, tasks: list[str], official: bool = False
) -> Iterator[PuzzleWriter]:
    """Yield the writer of a dataset's puzzles; write the tables at the end of the block.

    ``official``: whether the dataset has its own questions. Raise a UserError if the receipt has
    another layout, or if the wording of a task cannot be used.
    """
    receipt, root = preparation.open_receipt(args, layout)
    check_wording(args.settings["wording"], tasks, official, f"datasets.{args.dataset}.wording")
    writer = PuzzleWriter(args, receipt, root)
    yield writer
    writer.close()


def remove_stale(folder: Path, names: set[str]) -> None:
    """Remove every file of the image folder whose name is not in ``names``."""
    for path in folder.glob("*"):
        if path.is_file() and path.name not in names:
            path.unlink()
