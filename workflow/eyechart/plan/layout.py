"""What a layout of files asks of the workflow: steps, keys in the configuration, tasks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


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


def published(name: str, *, drawn: bool = True, **more: Any) -> Layout:
    """Return the layout of ``data/layouts/<name>``, with the steps that such a folder has.

    Parameters
    ----------
    name : str
        The folder's name.
    drawn : bool
        Whether ``rendering/datasets/<name>`` can draw it.
    **more
        Further attributes of :class:`Layout`.
    """
    studio = f"rendering.datasets.{name}"
    steps = {"draws": f"{studio}.draw", "writes": f"{studio}.write"} if drawn else {}
    sources = ("render", "local", "download") if drawn else ("local", "download")
    folder = f"data.layouts.{name}"
    own = {"prepares": f"{folder}.prepare", "module": f"{folder}.layout", "sources": sources}
    return Layout(**{**own, **steps, **more})


def of_regions(name: str, items: Sequence[str], *keys: str, drawn: bool = True) -> Layout:
    """Return a published layout whose items have regions; ``keys`` are its own besides theirs."""
    own = ("most", "wording", *keys)
    return published(name, drawn=drawn, preparing=own, items=items, regions=True)
