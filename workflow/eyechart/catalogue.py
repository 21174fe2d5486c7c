"""What each layout asks of the workflow: its steps, its keys in the configuration, its tasks.

Snakemake imports this at parse time, so it needs neither numpy nor torch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eyechart.datasets import clevr_tasks, coco_tasks, mmvp_patterns, skills


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
    needed : keys that its section must have
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
    takes: str = "datasets.acquire_local"
    downloads: str = "datasets.download"
    draws: str = ""
    writes: str = ""
    drawing: Sequence[str] = ()
    asking: Sequence[str] = ()
    taking: Sequence[str] = ()
    preparing: Sequence[str] = ()
    needed: Sequence[str] = ()
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
    prepares="datasets.prepare_own",
    takes="datasets.take_own",
    taking=("columns", "images"),
    preparing=("layout", "prompt", "choices", "task", "answer_as"),
    needed=("test_share",),
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
        prepares=f"datasets.prepare_{name}",
        module=f"datasets.{name}_layout",
        draws=f"studio.draw_{name}" if drawn else "",
        writes=f"studio.write_{name}" if drawn else "",
        sources=("render", "local", "download") if drawn else ("local", "download"),
        preparing=(*_ITEMS, *keys),
        needed=("test_share", *_ITEMS, *keys),
        items=items,
        regions=True,
    )


LAYOUTS = {
    "clevr": Layout(
        prepares="datasets.prepare_clevr",
        module="datasets.clevr_layout",
        draws="studio.draw_scenes",
        writes="studio.write_clevr",
        asking=("questions", "families", "balance"),
        items=list(clevr_tasks.ITEM_TASKS),
        images=clevr_tasks.IMAGE_TASKS,
    ),
    "coco": Layout(
        prepares="datasets.prepare_coco",
        module="datasets.coco_layout",
        draws="studio.draw_coco",
        writes="studio.write_coco",
        preparing=_COCO,
        needed=("test_share", *_COCO),
        items=coco_tasks.ITEM_TASKS,
        images=(coco_tasks.OBJECT_COUNT,),
        image_prefix="has_",
        captions=True,
    ),
    "mmvp": Layout(
        prepares="datasets.prepare_mmvp",
        module="datasets.mmvp_layout",
        draws="studio.draw_mmvp",
        writes="studio.write_mmvp",
        preparing=("corrections",),
        needed=("test_share", "corrections"),
        items=(*mmvp_patterns.PATTERNS, "mmvp"),
        pairs=True,
    ),
    "mmvp_vlm": Layout(
        prepares="datasets.prepare_mmvp_vlm",
        module="datasets.mmvp_vlm_layout",
        draws="studio.draw_mmvp_vlm",
        writes="studio.write_mmvp_vlm",
        needed=("test_share",),
        form="which_picture",
        pairs=True,
    ),
    "blink": _skills("blink", list(skills.BLINK.values()), "skills"),
    "cv_bench": _skills("cv_bench", [skills.DEPTH]),
    "mochi": _skills("mochi", [skills.ODD]),
    "spair": _skills("spair", [skills.SEMANTIC], "apart", drawn=False),
    "hpatches": _skills("hpatches", [skills.LOW_LEVEL], "apart", drawn=False),
    "nyuv2": Layout(
        prepares="datasets.prepare_nyuv2",
        module="datasets.nyuv2_layout",
        draws="studio.draw_nyuv2",
        writes="studio.write_nyuv2",
        preparing=("most",),
        needed=("test_share", "most"),
        depth=True,
    ),
    "stroop": Layout(
        prepares="datasets.prepare_stroop",
        module="datasets.stroop_layout",
        draws="studio.draw_stroop",
        writes="studio.write_stroop",
        asking=("palette",),
        drawing=_STROOP,
        preparing=("prompts",),
        needed=("test_share", "prompts"),
        sources=("render", "local"),
        items=("stroop", "concept"),
        images=("word", "font", "background"),
    ),
    "folder": _OWN,
    "table": _OWN,
    "hf": _OWN,
}
