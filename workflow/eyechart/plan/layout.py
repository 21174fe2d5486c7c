"""The requirements of a file layout on the workflow: steps, configuration keys, tasks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Size:
    """The size of a dataset, from which the memory and time of every job are estimated.

    Attributes
    ----------
    images, items : numbers of images and items; views and canvases count as images
    choices : mean number of choices of items that have any
    open : number of items without choices
    tested : number of items in the test groups
    groups : number of groups of items
    tasks : number of items by task, if counted
    """

    images: int = 0
    items: int = 0
    choices: float = 4
    open: int = 0
    tested: float = 0
    groups: int = 0
    tasks: Mapping[str, int] = field(default_factory=dict, hash=False)


Sizing = Callable[[dict[str, Any], int], Size]


def each(images: int, items: int, choices: float = Size.choices) -> Sizing:
    """Return a layout's ``size`` function, given the images and items per unit of ``released``."""

    def size(settings: dict[str, Any], count: int) -> Size:
        return Size(images=images * count, items=items * count, choices=choices)

    return size


_TEN_QUESTIONS = each(images=1, items=10)


@dataclass(frozen=True)
class Layout:
    """One layout of dataset files.

    Attributes
    ----------
    module : the module that reads its files, imported by name when a step runs
    prepare_step : writes its tables
    local_step, download_step : acquire it from the user's path, or download it
    draw_step, write_step : render its scenes and write its files, if it can be rendered
    scene_keys, question_keys : keys of a dataset that its rendered images and its questions depend
        on
    acquire_keys, prepare_keys : keys of a dataset that its acquisition and its tables depend on
    sources : its possible sources
    item_tasks, image_tasks : its tasks about an image with a question, and about an image alone
    image_prefix : prefix of further image tasks
    own_tasks : whether the user's own table names the tasks
    form : ``question``, or ``which_image`` if a statement is matched with one of two images
    pairs : whether items come in pairs that are scored together
    captions : whether images have captions
    regions : whether choices have regions
    located : whether items have regions; then ``prepare_step`` has the flag ``--regions``
    referents : item tasks whose answer is a property of the item's region alone
    region_columns : columns of the user's own table with an item's region
    depth : whether images have depth maps, to train depth heads on
    released : size of each released split, in the unit that ``size`` expects; any other split
        counts as the largest
    size : function that returns a dataset's size from its section and its number of images or items
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
    located: bool = False
    referents: Sequence[str] = ()
    region_columns: Sequence[str] = ()
    depth: bool = False
    released: Mapping[str, int] = field(default_factory=dict, hash=False)
    size: Sizing = _TEN_QUESTIONS

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

    def by_region(self, task: str, dataset: dict[str, Any]) -> bool:
        """Return whether an item task can be probed in an encoder alone, which reads no text.

        If so, the span ``referent`` contains the task's answer.
        """
        if self.own_tasks:
            named = set(self.region_columns) & set(dataset.get("columns", {}))
            return bool(named) and self.scope(task, dataset) == "item"
        return task in self.referents


def published(name: str, *, rendered: bool = True, **more: Any) -> Layout:
    """Return the layout of ``data/layouts/<name>``, with the standard steps of such a folder.

    Parameters
    ----------
    name : the folder's name
    rendered : whether ``rendering/datasets/<name>`` can render it
    **more
        Further attributes of :class:`Layout`.
    """
    scenes = f"rendering.datasets.{name}"
    steps = {"draw_step": f"{scenes}.draw", "write_step": f"{scenes}.write"} if rendered else {}
    sources = ("render", "local", "download") if rendered else ("local", "download")
    folder = f"data.layouts.{name}"
    own = {"prepare_step": f"{folder}.prepare", "module": f"{folder}.layout", "sources": sources}
    return Layout(**{**own, **steps, **more})


def of_regions(name: str, tasks: Sequence[str], *keys: str, **more: Any) -> Layout:
    """Return a published layout with regions; ``keys`` are its additional keys."""
    own: dict[str, Any] = {"prepare_keys": ("most", "wording", *keys), "item_tasks": tasks}
    return published(name, regions=True, located=True, **own, **more)
