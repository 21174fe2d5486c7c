"""What each layout asks of the workflow: its steps, its keys in the configuration, its tasks.

Snakemake imports this at parse time, so it needs neither numpy nor torch.
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
    module : what knows where its files stand, found by name when a step runs
    prepares : the step that makes its tables
    takes : the step that takes it from a path of the user's
    draws, writes : the studio's steps for it, if it can be drawn
    drawing, asking : keys of a dataset that its drawn pictures, and questions, depend on
    taking, preparing : keys of a dataset that taking it, and its tables, depend on
    downloads : the step that downloads it
    sources : where it may come from
    items, images : its tasks about a picture with its question, and about a picture alone
    image_prefix : what further tasks about a picture alone begin with
    own_tasks : whether tasks are named by the user's own table
    form : ``question``, or ``which_picture`` where a statement is to be matched
    pairs : whether items come in pairs that count only together
    captions : whether pictures have captions
    regions : whether it says where on the pictures the choices lie: ``prepares`` has ``--regions``
    depth : whether pictures have depth maps, to train depth heads on
    """

    prepares: str
    module: str = ""
    takes: str = "data.sources.local"
    downloads: str = "data.sources.download"
    draws: str = ""
    writes: str = ""
    drawing: Sequence[str] = ()
    asking: Sequence[str] = ()
    taking: Sequence[str] = ()
    preparing: Sequence[str] = ()
    sources: Sequence[str] = ("render", "local", "download")
    items: Sequence[str] = ()
    images: Sequence[str] = ()
    image_prefix: str = ""
    own_tasks: bool = False
    form: str = "question"
    pairs: bool = False
    captions: bool = False
    regions: bool = False
    depth: bool = False

    @property
    def tasks(self) -> list[str]:
        """All tasks that are known by name, in the order of the report."""
        return [*self.items, *self.images]

    def scope(self, task: str, dataset: dict[str, Any]) -> str | None:
        """Give what a task is asked of, ``item`` or ``image``; None if there is no such task."""
        if task in self.items:
            return "item"
        prefixed = self.image_prefix and task.startswith(self.image_prefix)
        if task in self.images or prefixed:
            return "image"
        if self.own_tasks:
            labels = dataset.get("columns", {}).get("labels", {})
            return "image" if task in labels else "item"
        return None


_OWN = Layout(
    prepares="data.own.prepare",
    takes="data.own.take",
    taking=("columns", "images"),
    preparing=("layout", "prompt", "choices", "task", "answer_as"),
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

# How many items are made, and what they ask
_ITEMS = ("most", "wording")

# What words in colours and pictures of colours look like
_STROOP = (
    "palette",
    "typefaces",
    "text_height",
    "copies",
    "keep_unreadable",
    "least_contrast",
    "concept_pictures",
)


def _skills(name: str, items: Sequence[str], *keys: str, drawn: bool = True) -> Layout:
    """Give a layout of vision-centric tasks; ``keys`` are those that it has besides all others."""
    return Layout(
        prepares=f"data.layouts.{name}.prepare",
        module=f"data.layouts.{name}.layout",
        draws=f"rendering.datasets.{name}.draw" if drawn else "",
        writes=f"rendering.datasets.{name}.write" if drawn else "",
        sources=("render", "local", "download") if drawn else ("local", "download"),
        preparing=(*_ITEMS, *keys),
        items=items,
        regions=True,
    )


LAYOUTS = {
    "clevr": Layout(
        prepares="data.layouts.clevr.prepare",
        module="data.layouts.clevr.layout",
        draws="rendering.datasets.clevr.draw",
        writes="rendering.datasets.clevr.write",
        asking=("questions", "families", "balance"),
        items=list(clevr_tasks.ITEM_TASKS),
        images=clevr_tasks.IMAGE_TASKS,
    ),
    "coco": Layout(
        prepares="data.layouts.coco.prepare",
        module="data.layouts.coco.layout",
        draws="rendering.datasets.coco.draw",
        writes="rendering.datasets.coco.write",
        preparing=_COCO,
        items=coco_tasks.ITEM_TASKS,
        images=(coco_tasks.OBJECT_COUNT,),
        image_prefix="has_",
        captions=True,
    ),
    "mmvp": Layout(
        prepares="data.layouts.mmvp.prepare",
        module="data.layouts.mmvp.layout",
        draws="rendering.datasets.mmvp.draw",
        writes="rendering.datasets.mmvp.write",
        preparing=("corrections",),
        items=(*mmvp_tasks.PATTERNS, "mmvp"),
        pairs=True,
    ),
    "mmvp_vlm": Layout(
        prepares="data.layouts.mmvp_vlm.prepare",
        module="data.layouts.mmvp_vlm.layout",
        draws="rendering.datasets.mmvp_vlm.draw",
        writes="rendering.datasets.mmvp_vlm.write",
        form="which_picture",
        pairs=True,
    ),
    "blink": _skills("blink", list(canvas_tasks.BLINK.values()), "skills"),
    "cv_bench": _skills("cv_bench", [canvas_tasks.DEPTH]),
    "mochi": _skills("mochi", [canvas_tasks.ODD]),
    "spair": _skills("spair", [canvas_tasks.SEMANTIC], "apart", drawn=False),
    "hpatches": _skills("hpatches", [canvas_tasks.LOW_LEVEL], "apart", drawn=False),
    "nyuv2": Layout(
        prepares="data.layouts.nyuv2.prepare",
        module="data.layouts.nyuv2.layout",
        draws="rendering.datasets.nyuv2.draw",
        writes="rendering.datasets.nyuv2.write",
        preparing=("most",),
        depth=True,
    ),
    "stroop": Layout(
        prepares="data.layouts.stroop.prepare",
        module="data.layouts.stroop.layout",
        draws="rendering.datasets.stroop.draw",
        writes="rendering.datasets.stroop.write",
        asking=("palette",),
        drawing=_STROOP,
        preparing=("prompts",),
        sources=("render", "local"),
        items=("stroop", "concept"),
        images=("word", "font", "background"),
    ),
    "folder": _OWN,
    "table": _OWN,
    "hf": _OWN,
}
