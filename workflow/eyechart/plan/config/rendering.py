"""The sections `rendering` and `canvas`: how scenes are rendered and images are combined."""

from typing import Annotated

from pydantic import Field

from eyechart.plan.config.base import (
    AsWritten,
    Count,
    Few,
    NonNegative,
    Number,
    Override,
    Pixels,
    Positive,
    Range,
    Section,
    Size,
    Text,
    nested,
    optional,
    setting,
)

Position = Annotated[list[Number], Field(min_length=3, max_length=3)]


class CameraSettings(Section):
    """The camera of rendered scenes."""

    position: Position = setting([0, -9, 6], "its position", unit="scene units")
    target: Position = setting(
        [0, 0, 0.3], "the point at the centre of the view", unit="scene units"
    )
    fov: Annotated[float, Field(gt=0, lt=180), AsWritten] = setting(
        22, "field of view", unit="degrees"
    )
    jitter: NonNegative = setting(0.3, "maximum random shift of the position", unit="scene units")


class Rendering(Section):
    """Rendering of scenes. Scene units are CLEVR's: a large object has a radius of 0.7."""

    image_px: Annotated[list[Pixels], Field(min_length=2, max_length=2)] = setting(
        [80, 80], "width and height of an image", unit="px"
    )
    samples_per_pixel: Size = setting(16, "rays per pixel")
    objects: Range = setting([1, 3], "minimum and maximum number of objects in a scene")
    extent: Positive = setting(
        1.3, "maximum distance of objects from the centre", unit="scene units"
    )
    gap: NonNegative = setting(0.05, "minimum gap between two objects", unit="scene units")
    min_visible_px: Count = setting(
        30, "minimum number of visible pixels of every object", unit="px"
    )
    light_jitter: NonNegative = setting(
        1.0, "maximum random shift of each light", unit="scene units"
    )
    camera: CameraSettings = nested("position of the camera")


class CameraOverride(CameraSettings, Override):
    """Overrides of ``rendering.camera`` for one dataset."""


class RenderingOverride(Rendering, Override):
    """Overrides of ``rendering`` for one dataset."""

    camera: CameraOverride = optional("overrides of `rendering.camera`")


class Canvas(Section):
    """How the images of a question and their marks are shown to a model."""

    canvas: bool = setting(
        True, "combine all images of a question on one canvas; false: show them separately"
    )
    marks: bool = setting(
        True,
        "draw points as circles and boxes as frames, with their letters; required for datasets "
        "published with marks",
    )
    square: bool = setting(True, "pad the canvas to a square, because some models crop the centre")
    canvas_px: Pixels | None = setting(
        None, "longer side of the canvas; null: as large as the images require", unit="px"
    )
    columns: Few | None = setting(None, "images per row; null: all in one row")
    gap: NonNegative = setting(0.04, "space between images", unit="share of an image's height")
    margin: NonNegative = setting(0, "space around them", unit="share of an image's height")
    background: Text = setting("white", "colour of the canvas: a name or `#rrggbb`")
    label_share: Annotated[float, Field(gt=0, le=0.5), AsWritten] = setting(
        0.06, "height of a label", unit="share of the canvas' longer side"
    )


class CanvasOverride(Canvas, Override):
    """Overrides of ``canvas`` for one dataset."""
