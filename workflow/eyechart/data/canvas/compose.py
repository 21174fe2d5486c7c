"""Compose several images on one canvas, and move their regions to canvas coordinates.

The layout is planned before any pixel is moved. All images of a canvas have the same height and are
arranged in rows from left to right. Each is resized once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from PIL import Image, ImageColor

from eyechart.core.errors import UserError
from eyechart.data.canvas.marks import draw_label, draw_marks, label_height, label_size
from eyechart.tables.regions import WHOLE_IMAGE, Region

Size = tuple[int, int]


@dataclass(frozen=True)
class CanvasStyle:
    """Appearance of canvases."""

    marks: bool  # whether regions are marked
    square: bool  # whether to pad the canvas to a square, so that a square crop loses nothing
    canvas_px: int | None  # the longer side (the side if square); None: set by the tallest image
    columns: int | None  # images per row; None: all
    # gap, margin: space between images and around all of them, as shares of an image's height
    gap: float
    margin: float
    background: str  # any colour that PIL knows, by name or as #rrggbb
    label_share: float  # height of a label, as a share of the longer side

    def __post_init__(self) -> None:
        try:
            ImageColor.getrgb(self.background)
        except ValueError:
            raise UserError(
                f"background is {self.background!r}, expected a colour such as white or #808080"
            ) from None

    @classmethod
    def of(cls, settings: dict[str, Any]) -> CanvasStyle:
        """Return the style set by a dataset's settings."""
        return cls(**{name: settings[name] for name in cls.__dataclass_fields__})


class CanvasPlacement(NamedTuple):
    """Position and size of an image on the canvas, in whole pixels."""

    left: int
    top: int
    width: int
    height: int

    def moved(self, region: Region, size: Size) -> Region:
        """Return a region of an image of the given size in canvas coordinates."""
        scale = (self.width / size[0], self.height / size[1])
        return region.moved(self.left, self.top, scale)


@dataclass(frozen=True)
class CanvasPlan:
    """Size of the canvas, placement of every image, and heights of labels and label strips."""

    size: Size
    places: list[CanvasPlacement]
    label: int
    header: int


def plan(sizes: Sequence[Size], style: CanvasStyle, labelled: bool) -> CanvasPlan:
    """Plan a canvas for images of these sizes, or raise a UserError if it is too small for them.

    ``labelled``: whether to leave a strip for a name above every image.
    """
    count = style.columns or len(sizes)
    rows = [sizes[start : start + count] for start in range(0, len(sizes), count)]
    # size of the canvas if every image had height 1
    across = max(_row_width(row, 1, style) for row in rows) + 2 * style.margin
    down = len(rows) + style.gap * (len(rows) - 1) + 2 * style.margin
    height = float(max(size[1] for size in sizes))
    side = style.canvas_px or round(height * max(across, down))
    label = label_height(side, side, style.label_share)
    header = label_size("REF", label)[1] + max(2, label // 4) if labelled else 0
    if style.canvas_px:
        height = min(side / across, (side - header * len(rows)) / down)
    outer = (across * height, down * height + header * len(rows))
    size = (_up(outer[0]), _up(outer[1]))
    size = (max(*size, side),) * 2 if style.square else size
    top = (size[1] - outer[1]) / 2 + style.margin * height
    places = _places(rows, size[0], (height, top, header), style)
    if min(min(place.width, place.height) for place in places) < 1:
        raise UserError(
            f"canvas_px is {style.canvas_px}, too small for {len(sizes)} images; make it larger"
        )
    return CanvasPlan(size, places, label, header)


def draw_canvas(
    views: Sequence[Image.Image], regions: Sequence[Sequence[Region]], style: CanvasStyle
) -> tuple[Image.Image, list[list[Region]]]:
    """Draw images on one canvas and mark their regions, each given in pixels of its image.

    Return the canvas, in RGB, and the regions of each image in canvas coordinates. If the style has
    no ``marks``, the regions are moved and not drawn.
    """
    names = [[r.name for r in of if r.shape == WHOLE_IMAGE] for of in regions]
    laid = plan([view.size for view in views], style, style.marks and any(names))
    canvas = Image.new("RGB", laid.size, style.background)
    moved = []
    for view, of, name, at in zip(views, regions, names, laid.places, strict=True):
        shown = _resized(view, (at.width, at.height))
        if style.marks:
            here = CanvasPlacement(0, 0, at.width, at.height)
            shown = draw_marks(shown, [here.moved(r, view.size) for r in of], laid.label)
        canvas.paste(shown, (at.left, at.top))
        if style.marks and name:
            draw_label(canvas, name[0], at.left, at.top - laid.header, laid.label)
        moved.append([at.moved(region, view.size) for region in of])
    return canvas, moved


def _places(
    rows: Sequence[Sequence[Size]], wide: int, at: tuple[float, float, int], style: CanvasStyle
) -> list[CanvasPlacement]:
    """Return every image's placement: centred rows from ``top`` down, each below its header."""
    height, top, header = at
    places = []
    for row in rows:
        left = (wide - _row_width(row, height, style)) / 2
        for w, h in row:
            places.append(
                CanvasPlacement(int(left), int(top + header), int(height * w / h), int(height))
            )
            left += height * w / h + style.gap * height
        top += header + height * (1 + style.gap)
    return places


def _row_width(row: Sequence[Size], height: float, style: CanvasStyle) -> float:
    return height * (sum(w / h for w, h in row) + style.gap * (len(row) - 1))


def _up(length: float) -> int:
    return max(math.ceil(length - 1e-6), 1)


def _resized(view: Image.Image, size: Size) -> Image.Image:
    view = view.convert("RGB")
    return view if view.size == size else view.resize(size, Image.Resampling.BICUBIC)
