"""The registry of layouts: their steps, their keys in the configuration, their tasks.

Snakemake imports this module at parse time, so it needs neither numpy nor torch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eyechart.data.canvas import tasks as canvas_tasks
from eyechart.data.layouts.clevr import tasks as clevr_tasks
from eyechart.data.layouts.coco import tasks as coco_tasks
from eyechart.data.layouts.mmvp import tasks as mmvp_tasks


@dataclass(frozen=True)
class Layout:
    """One layout of files that datasets come in.

    Attributes
    ----------
    module : the module that knows its files, imported by name when a step runs
    prepare_step : writes its tables
    local_step, download_step : acquire it from a path of the user's, or download it
    draw_step, write_step : render its scenes and write its files, if it can be rendered
    scene_keys, question_keys : keys of a dataset that its rendered images, and questions, depend on
    acquire_keys, prepare_keys : keys of a dataset that acquiring it, and its tables, depend on
    sources : where it may come from
    item_tasks, image_tasks : its tasks about an image and a question, and about an image alone
    image_prefix : prefix of further image tasks
    own_tasks : whether the user's own table names the tasks
    form : ``question``, or ``which_picture`` where a statement is matched with one of two images
    pairs : whether items come in pairs that are scored together
    captions : whether images have captions
    regions : whether choices have regions; then ``prepare_step`` has the flag ``--regions``
    depth : whether images have depth maps, to train depth heads on
    """

    prepare_step: str
    module: str = ""
    local_step: str = "data.sources.local"
    download_step: str = "data.sources.download"
    draw_step: str = ""
    write_step: str = ""
    scene_keys: Sequence[str] = ()
    question_keys: Sequence[str] = ()
    acquire_keys: Sequence[str] = ()
    prepare_keys: Sequence[str] = ()
    sources: Sequence[str] = ("render", "local", "download")
    item_tasks: Sequence[str] = ()
    image_tasks: Sequence[str] = ()
    image_prefix: str = ""
    own_tasks: bool = False
    form: str = "question"
    pairs: bool = False
    captions: bool = False
    regions: bool = False
    depth: bool = False

    @property
    def tasks(self) -> list[str]:
        """All tasks with a fixed name, in the order of the report."""
        return [*self.item_tasks, *self.image_tasks]

    def scope(self, task: str, dataset: dict[str, Any]) -> str | None:
        """Return the scope of a task, ``item`` or ``image``; None if there is no such task."""
        if task in self.item_tasks:
            return "item"
        prefixed = self.image_prefix and task.startswith(self.image_prefix)
        if task in self.image_tasks or prefixed:
            return "image"
        if self.own_tasks:
            labels = dataset.get("columns", {}).get("labels", {})
            return "image" if task in labels else "item"
        return None


_OWN = Layout(
    prepare_step="data.own.prepare",
    local_step="data.own.take",
    acquire_keys=("columns", "images"),
    prepare_keys=("layout", "prompt", "choices", "task", "answer_as"),
    sources=("local",),
    own_tasks=True,
)

_COCO = (
    "subset",
    "allow_missing",
    "presence",
    "position",
    "position_margin",
    "counting",
    "most_count",
    "most_objects",
    "wording",
)

# The number of items, and the wording of their questions
_ITEMS = ("most", "wording")

# How coloured words and images of colours are rendered
_STROOP = (
    "palette",
    "typefaces",
    "text_height",
    "copies",
    "keep_unreadable",
    "least_contrast",
    "concept_pictures",
)


def _skills(name: str, tasks: Sequence[str], *keys: str, rendered: bool = True) -> Layout:
    """Return a layout of vision-centric tasks; ``keys`` are those that only this layout has."""
    return Layout(
        prepare_step=f"data.layouts.{name}.prepare",
        module=f"data.layouts.{name}.layout",
        draw_step=f"rendering.datasets.{name}.draw" if rendered else "",
        write_step=f"rendering.datasets.{name}.write" if rendered else "",
        sources=("render", "local", "download") if rendered else ("local", "download"),
        prepare_keys=(*_ITEMS, *keys),
        item_tasks=tasks,
        regions=True,
    )


LAYOUTS = {
    "clevr": Layout(
        prepare_step="data.layouts.clevr.prepare",
        module="data.layouts.clevr.layout",
        draw_step="rendering.datasets.clevr.draw",
        write_step="rendering.datasets.clevr.write",
        question_keys=("questions", "families", "balance"),
        item_tasks=list(clevr_tasks.ITEM_TASKS),
        image_tasks=clevr_tasks.IMAGE_TASKS,
    ),
    "coco": Layout(
        prepare_step="data.layouts.coco.prepare",
        module="data.layouts.coco.layout",
        draw_step="rendering.datasets.coco.draw",
        write_step="rendering.datasets.coco.write",
        prepare_keys=_COCO,
        item_tasks=coco_tasks.ITEM_TASKS,
        image_tasks=(coco_tasks.OBJECT_COUNT,),
        image_prefix="has_",
        captions=True,
    ),
    "mmvp": Layout(
        prepare_step="data.layouts.mmvp.prepare",
        module="data.layouts.mmvp.layout",
        draw_step="rendering.datasets.mmvp.draw",
        write_step="rendering.datasets.mmvp.write",
        prepare_keys=("corrections",),
        item_tasks=(*mmvp_tasks.PATTERNS, "mmvp"),
        pairs=True,
    ),
    "mmvp_vlm": Layout(
        prepare_step="data.layouts.mmvp_vlm.prepare",
        module="data.layouts.mmvp_vlm.layout",
        draw_step="rendering.datasets.mmvp_vlm.draw",
        write_step="rendering.datasets.mmvp_vlm.write",
        form="which_picture",
        pairs=True,
    ),
    "blink": _skills("blink", list(canvas_tasks.BLINK.values()), "skills"),
    "cv_bench": _skills("cv_bench", [canvas_tasks.DEPTH]),
    "mochi": _skills("mochi", [canvas_tasks.ODD]),
    "spair": _skills("spair", [canvas_tasks.SEMANTIC], "apart", rendered=False),
    "hpatches": _skills("hpatches", [canvas_tasks.LOW_LEVEL], "apart", rendered=False),
    "nyuv2": Layout(
        prepare_step="data.layouts.nyuv2.prepare",
        module="data.layouts.nyuv2.layout",
        draw_step="rendering.datasets.nyuv2.draw",
        write_step="rendering.datasets.nyuv2.write",
        prepare_keys=("most",),
        depth=True,
    ),
    "stroop": Layout(
        prepare_step="data.layouts.stroop.prepare",
        module="data.layouts.stroop.layout",
        draw_step="rendering.datasets.stroop.draw",
        write_step="rendering.datasets.stroop.write",
        question_keys=("palette",),
        scene_keys=_STROOP,
        prepare_keys=("prompts",),
        sources=("render", "local"),
        item_tasks=("stroop", "concept"),
        image_tasks=("word", "font", "background"),
    ),
    "folder": _OWN,
    "table": _OWN,
    "hf": _OWN,
}


def layout_of(config: dict[str, Any], dataset: str) -> Layout:
    """Return the layout of a dataset of a checked configuration."""
    return LAYOUTS[config["datasets"][dataset]["layout"]]
