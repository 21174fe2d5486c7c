"""The section of a dataset in the layout ``stroop``, and the layout's requirements."""

from typing import Annotated, Any, Literal

from pydantic import Field

from eyechart.plan.config.base import AsWritten, Count, PositiveShare, Texts, setting
from eyechart.plan.config.dataset import Rendered
from eyechart.plan.layout import Size, published

# Appearance of coloured words and images of colours
_LOOK = (
    "palette",
    "typefaces",
    "text_height",
    "copies",
    "keep_unreadable",
    "least_contrast",
    "concept_images",
)


Colour = Annotated[list[Annotated[int, Field(ge=0, le=255)]], Field(min_length=3, max_length=3)]


def _size(settings: dict[str, Any], count: int) -> Size:
    """Return the size of this many word images, plus the images of up to 20 colours."""
    images, palette = count + 20 * settings["concept_images"], settings["palette"]
    colors = len(palette) if isinstance(palette, dict) else 20
    return Size(images=images, items=images * len(settings["prompts"]), choices=colors)


class Stroop(Rendered):
    """Coloured words, and images of colours: docs/stroop.md."""

    LAYOUT = published(
        "stroop",
        question_keys=("palette",),
        scene_keys=_LOOK,
        prepare_keys=("prompts",),
        sources=("render", "local"),
        item_tasks=("stroop", "concept"),
        image_tasks=("word", "font", "background"),
        size=_size,
    )

    layout: Literal["stroop"] = setting(..., "`stroop`")
    source: Literal["render", "local"] = setting(
        ..., "`render`: drawn by the workflow; `local`: from `path`"
    )
    palette: Literal["clevr", "vlm_lens"] | Annotated[dict[str, Colour], Field(min_length=2)] = (
        setting("clevr", "`clevr` (8 colours), `vlm_lens` (20), or your own `{name: [r, g, b]}`")
    )
    typefaces: Texts = setting(
        ["plain", "bold", "slanted"], "`plain`, `bold`, `slanted`, or paths of font files"
    )
    text_height: Annotated[list[PositiveShare], Field(min_length=2, max_length=2)] = setting(
        [0.2, 0.4], "minimum and maximum height of a word", unit="share of the image's height"
    )
    copies: Count = setting(1, "images per word, font colour and background")
    keep_unreadable: bool = setting(False, "keep words in the colour of their background")
    least_contrast: Annotated[float, Field(ge=1, le=21), AsWritten] = setting(
        1, "minimum contrast between font and background", unit="WCAG's ratio"
    )
    concept_images: Count = setting(9, "images per colour")
    prompts: Texts = setting(["What color is it?"], "questions about every image")


SECTION = Stroop
