"""The sections `rendering` and `canvas`: how scenes are rendered, and images joined."""

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
        [0, 0, 0.3], "the point in the centre of its view", unit="scene units"
    )
    fov: Annotated[float, Field(gt=0, lt=180), AsWritten] = setting(
        22, "field of view", unit="degrees"
    )
    jitter: NonNegative = setting(
        0.3, "the position is moved by up to this distance", unit="scene units"
    )


class Rendering(Section):
    """How rendered scenes look. Scene units are CLEVR's: a large object has a radius of 0.7."""

    image_px: Annotated[list[Pixels], Field(min_length=2, max_length=2)] = setting(
        [80, 80], "width and height of an image", unit="px"
    )
    samples_per_pixel: Size = setting(16, "rays per pixel")
    objects: Range = setting([1, 3], "fewest and most objects in a scene")
    extent: Positive = setting(
        1.3, "objects stand within this distance of the centre", unit="scene units"
    )
    gap: NonNegative = setting(
        0.05, "smallest free distance between two objects", unit="scene units"
    )
    min_visible_px: Count = setting(30, "pixels that every object shows at least", unit="px")
    light_jitter: NonNegative = setting(
        1.0, "each light is moved by up to this distance", unit="scene units"
    )
    camera: CameraSettings = nested("where the camera stands")


class CameraOverride(CameraSettings, Override):
    """What differs from ``rendering.camera`` for one dataset."""


class RenderingOverride(Rendering, Override):
    """What differs from ``rendering`` for one dataset."""

    camera: CameraOverride = optional("overrides of `rendering.camera`")


class Canvas(Section):
    """How the images of one question, and the marks on them, are shown to a model."""

    canvas: bool = setting(
        True, "join all images of a question on one canvas; false: show them one by one"
    )
    marks: bool = setting(
        True,
        "draw points as circles, boxes as frames, and their letters; datasets that are published "
        "with marks need it",
    )
    square: bool = setting(True, "pad the canvas to a square, since some models crop the centre")
    canvas_px: Pixels | None = setting(
        None, "the canvas' longer side; null: as large as the images need", unit="px"
    )
    columns: Few | None = setting(None, "images side by side; null: all in one row")
    gap: NonNegative = setting(0.04, "space between images", unit="share of an image's height")
    margin: NonNegative = setting(0, "space around them", unit="share of an image's height")
    background: Text = setting("white", "colour of the canvas: a name or `#rrggbb`")
    label_share: Annotated[float, Field(gt=0, le=0.5), AsWritten] = setting(
        0.06, "height of a label", unit="share of the canvas' longer side"
    )


class CanvasOverride(Canvas, Override):
    """What differs from ``canvas`` for one dataset."""
