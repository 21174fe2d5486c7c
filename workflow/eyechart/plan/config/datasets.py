"""The sections of datasets, one model per layout."""

from typing import Annotated, Literal

from pydantic import Field

from eyechart.plan.config.base import (
    UNIQUE,
    AsWritten,
    Count,
    Name,
    Natural,
    PositiveShare,
    Section,
    Text,
    Texts,
    Unique,
    nested,
    optional,
    setting,
)
from eyechart.plan.config.dataset import Dataset, Rendered
from eyechart.plan.config.own_data import Own
from eyechart.plan.config.rendering import CanvasOverride

Published = Literal["local", "download"]
Family = Literal[
    "query", "query_relation", "query_same", "count", "exist", "compare_count", "compare_attribute"
]
Families = Annotated[list[Family], Field(min_length=1), Unique, UNIQUE]
OFFICIAL = "official"  # the wording that the dataset itself has
WORDING = "questions by task"
WORDED = "its question; `official`: the dataset's own"


class Questions(Section):
    """Questions per scene, by task."""

    color: Natural = setting(1, "asking for a colour")
    shape: Natural = setting(1, "for a shape")
    material: Natural = setting(1, "for a material")
    size: Natural = setting(1, "for a size")
    number: Natural = setting(1, "for a number")
    boolean: Natural = setting(1, "answered by yes or no")


class Clevr(Rendered):
    """CLEVR v1.0: questions by the type of their answer, and labels of images."""

    RELEASED = ("val",)

    layout: Literal["clevr"] = setting(..., "`clevr`")
    test_share: PositiveShare = setting(0.25, "share of the groups that the derived split tests on")
    families: Families = setting(["query", "count", "exist"], "source `render`: kinds of question")
    balance: bool = setting(True, "source `render`: balance the answers")
    questions: Questions = nested("source `render`: questions per image of each task")


class CocoWording(Section):
    """The questions about COCO's images."""

    presence: Text = setting(
        "Is there {a_category} in the image?",
        "question of the tasks `presence_…`; fields `{category}`, `{a_category}`, `{plural}`",
    )
    position: Text = setting(
        "Is this a photo of {a_category} on the {side}?", "of `position`; also the field `{side}`"
    )
    counting: Text = setting("How many {plural} are there in the image?", "of `counting`")
    caption: Text = setting("Describe the image in one sentence.", "of `caption`")


class Coco(Rendered):
    """COCO 2017: presence, position, counting, captions, and labels of images."""

    RELEASED = ("val2017",)

    layout: Literal["coco"] = setting(..., "`coco`")
    subset: Count | None = setting(None, "images of a split, drawn by the seed; null: all")
    allow_missing: bool = setting(
        False, "go on where annotations name images that are not there; they are counted and listed"
    )
    presence: Natural = setting(
        1,
        "questions per image about categories that are there, each with three about absent ones: a "
        "random one, a frequent one, and one that often occurs with what is there (POPE)",
    )
    position: Natural = setting(1, "questions per image about the side of an object")
    position_margin: Annotated[float, Field(ge=0, lt=0.5), AsWritten] = setting(
        0.1, "band about the middle without questions about the side", unit="share of a side"
    )
    counting: Natural = setting(1, "categories per image that are counted")
    most_count: Count = setting(10, "highest number in questions")
    most_objects: Count = setting(
        10, "highest label of the task `object_count`; more are this and a plus"
    )
    wording: CocoWording = nested(WORDING)


class Mmvp(Rendered):
    """MMVP: pairs of images with one question and opposite answers."""

    layout: Literal["mmvp"] = setting(..., "`mmvp`")
    corrections: bool = setting(
        True, "correct the two published labels that were found to be wrong; the report says so"
    )


class MmvpVlm(Rendered):
    """MMVP-VLM: pairs of images with a statement each, for encoders."""

    layout: Literal["mmvp_vlm"] = setting(..., "`mmvp_vlm`")


MOST = "items of a task at most, drawn by the seed; null: all"
OWN_CANVAS = "what differs from `canvas`"


class BlinkWording(Section):
    """The questions of BLINK's skills."""

    semantic_correspondence: Text = setting(OFFICIAL, WORDED)
    functional_correspondence: Text = setting(OFFICIAL, WORDED)
    low_level_matching: Text = setting(OFFICIAL, WORDED)
    art_style: Text = setting(OFFICIAL, WORDED)


Skill = Literal[
    "semantic_correspondence", "functional_correspondence", "low_level_matching", "art_style"
]


class Blink(Rendered):
    """BLINK: semantic and functional correspondence, low-level matching, art style."""

    RELEASED = ("val",)

    layout: Literal["blink"] = setting(..., "`blink`")
    skills: Annotated[list[Skill], Field(min_length=1), Unique, UNIQUE] = setting(
        list(BlinkWording.model_fields), "skills that are examined"
    )
    most: Count | None = setting(None, MOST)
    wording: BlinkWording = nested(WORDING)
    canvas: CanvasOverride = optional(OWN_CANVAS)

    def all_tasks(self) -> list[str]:
        """Return the tasks that are probed where none are named: the skills examined."""
        return list(self.skills)


class CvBenchWording(Section):
    """The question of CV-Bench."""

    depth_order: Text = setting(OFFICIAL, WORDED + "; fields `{a}`, `{b}`: the two objects")


class CvBench(Rendered):
    """CV-Bench: which of two objects in boxes is nearer."""

    layout: Literal["cv_bench"] = setting(..., "`cv_bench`")
    most: Count | None = setting(None, MOST)
    wording: CvBenchWording = nested(WORDING)
    canvas: CanvasOverride = optional(OWN_CANVAS)


class MochiWording(Section):
    """The question of MOCHI, which publishes none."""

    odd_one_out: Text = setting("Which image shows another object?", "its question")


class Mochi(Rendered):
    """MOCHI: which of three or four images shows another object."""

    RELEASED = ("train",)

    layout: Literal["mochi"] = setting(..., "`mochi`")
    most: Count | None = setting(None, MOST)
    wording: MochiWording = nested(WORDING)
    canvas: CanvasOverride = optional(OWN_CANVAS)


class SpairWording(Section):
    """The question of SPair-71k, which publishes none."""

    semantic_correspondence: Text = setting("Which point corresponds to REF?", "its question")


class HpatchesWording(Section):
    """The question of HPatches, which publishes none."""

    low_level_matching: Text = setting("Which point corresponds to REF?", "its question")


class Points(Dataset):
    """The keys of datasets of corresponding points."""

    source: Published = setting(..., "`local`: from `path`; `download`: by data/versions.tsv")
    splits: Texts | None = setting(None, "names of official splits; null: the one usually reported")
    most: Count | None = setting(None, MOST)
    apart: PositiveShare = setting(
        0.1, "least distance of two choices", unit="share of the image's longer side"
    )
    canvas: CanvasOverride = optional(OWN_CANVAS)


class Spair(Points):
    """SPair-71k: which of four keypoints is the one marked on another image."""

    layout: Literal["spair"] = setting(..., "`spair`")
    wording: SpairWording = nested(WORDING)


class Hpatches(Points):
    """HPatches: which of four points is the one marked, from another view or in other light."""

    RELEASED = ("all",)

    layout: Literal["hpatches"] = setting(..., "`hpatches`")
    wording: HpatchesWording = nested(WORDING)


class Nyuv2(Rendered):
    """NYU Depth V2: images with depth maps, to train depth heads on; no items."""

    RELEASED = ("train", "test")

    layout: Literal["nyuv2"] = setting(..., "`nyuv2`")
    test_share: PositiveShare = setting(0.25, "share of the groups that depth heads are tested on")
    most: Count | None = setting(None, "images of a split at most, drawn by the seed; null: all")


Colour = Annotated[list[Annotated[int, Field(ge=0, le=255)]], Field(min_length=3, max_length=3)]


class Stroop(Rendered):
    """Coloured words, and images of colours: docs/stroop.md."""

    layout: Literal["stroop"] = setting(..., "`stroop`")
    source: Literal["render", "local"] = setting(..., "`render`: drawn; `local`: from `path`")
    palette: Literal["clevr", "vlm_lens"] | Annotated[dict[str, Colour], Field(min_length=2)] = (
        setting("clevr", "`clevr` (8 colours), `vlm_lens` (20), or your own `{name: [r, g, b]}`")
    )
    typefaces: Texts = setting(
        ["plain", "bold", "slanted"], "`plain`, `bold`, `slanted`, or paths of font files"
    )
    text_height: Annotated[list[PositiveShare], Field(min_length=2, max_length=2)] = setting(
        [0.2, 0.4], "smallest and largest height of a word", unit="share of the image's height"
    )
    copies: Count = setting(1, "images of each word, font colour and background")
    keep_unreadable: bool = setting(False, "whether a word may have its background's colour")
    least_contrast: Annotated[float, Field(ge=1, le=21), AsWritten] = setting(
        1, "lowest contrast of font and background", unit="WCAG's ratio"
    )
    concept_pictures: Count = setting(9, "images of each colour")
    prompts: Texts = setting(["What color is it?"], "the questions about every image")


AnyDataset = Annotated[
    Clevr
    | Coco
    | Mmvp
    | MmvpVlm
    | Blink
    | CvBench
    | Mochi
    | Spair
    | Hpatches
    | Nyuv2
    | Stroop
    | Own,
    Field(discriminator="layout"),
]
Datasets = Annotated[dict[Name, AnyDataset], Field(min_length=1)]
