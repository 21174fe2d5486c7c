"""The keys that the sections of all datasets share."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from eyechart.core.errors import nearest
from eyechart.plan.config.base import (
    Count,
    File,
    Names,
    PositiveShare,
    Section,
    Seed,
    Texts,
    mistake,
    optional,
    setting,
)
from eyechart.plan.config.rendering import CanvasOverride, RenderingOverride
from eyechart.plan.layout import Layout

Source = Literal["render", "local", "download"]
Published = Literal["local", "download"]
Jobs = Annotated[int, Field(ge=1, le=1000)]

# Descriptions that several layouts share
MOST = "items of a task at most, drawn by the seed; null: all"
OWN_CANVAS = "overrides of `canvas` for this dataset"
OFFICIAL = "official"  # the wording that the dataset itself has
WORDING = "questions by task"
WORDED = "its question; `official`: the dataset's own"


class Dataset(Section):
    """The keys of every dataset."""

    LAYOUT: ClassVar[Layout]  # what the layout asks of the workflow
    RELEASED: ClassVar[tuple[str, ...]] = ("test",)  # the splits that are taken by default

    layout: str = setting(..., "the layout that its files come in")
    source: Source = setting(
        ..., "`render`: rendered here; `local`: from `path`; `download`: by data/versions.tsv"
    )
    path: File = optional("source `local`: a folder or archive in the official layout")
    splits: dict[str, Count] | Texts | None = setting(
        None,
        "names of official splits; for source `render` images by split: `{train: 900, val: 300}`; "
        "null: the split that is usually reported",
    )
    seed: Seed = optional(
        "a seed of its own for its scenes, questions and derived split; else `seed` above"
    )
    test_share: PositiveShare = setting(
        1, "share of the groups that the derived split tests on; 1 leaves nothing to probe"
    )
    parts: Jobs | Literal["auto"] = setting(
        1,
        "jobs per model that extract activations, ask the questions and trace attention; `auto`: "
        "one for every 0.8 billion of its parameters, of extraction for every 3 billion",
    )
    models: Names = optional("models that are examined on it, of those under `models`; else all")
    tasks: Names | None = setting(
        None, "tasks to probe; null: all of the layout where the split leaves something to train on"
    )

    def all_splits(self) -> list[str]:
        """Return the splits that are taken where none are named."""
        return list(self.RELEASED)

    def too_few(self, task: str, folds: int, test_share: float | None) -> str:
        """Return in a sentence why the rows of a task are too few to probe it, or nothing."""
        return ""

    def all_tasks(self) -> list[str]:
        """Return the tasks that are probed where none are named."""
        return self.LAYOUT.tasks

    @model_validator(mode="after")
    def _check(self) -> "Dataset":
        for error in self._mistakes():
            raise error
        if self.splits is None:
            self.splits = self.all_splits()
        return self

    def _mistakes(self) -> Iterator[Exception]:
        place = f"source {self.source!r} and layout {self.layout!r}: the key"
        if self.source == "local" and self.path is None:
            yield mistake("", f".{place} 'path' is missing")
        if self.source == "render" and self.splits is None:
            yield mistake("", f".{place} 'splits' is missing")
        if self.source == "render" and not isinstance(self.splits, dict):
            yield mistake(
                "splits",
                f" is {self.splits}, expected for source 'render' how many images of each split, "
                "e.g. {train: 900, val: 300}",
            )
        if self.source == "render" and self.LAYOUT.pairs:
            counts = list(self.splits.values()) if isinstance(self.splits, dict) else []
            if len(counts) != 1 or counts[0] % 2:
                found = f" is {self.splits}, expected one split with an even number of images"
                yield mistake("splits", f"{found}: pairs")
        layout = self.LAYOUT
        for task in self.tasks or ():
            if layout.scope(task, {}) is None:
                hint = f" or {layout.image_prefix}…" if layout.image_prefix else ""
                yield mistake(
                    "tasks", f": unknown task {task!r}; {nearest(task, layout.tasks)}{hint}"
                )


class Rendered(Dataset):
    """The keys of datasets that can be rendered."""

    shards: Jobs = setting(1, "source `render`: jobs that a split is drawn in; changes no image")
    truth: bool = setting(False, "source `render`: keep masks and depth maps")
    rendering: RenderingOverride = optional(
        "source `render`: overrides of `rendering` for this dataset"
    )


class Points(Dataset):
    """What datasets of corresponding points have."""

    source: Published = setting(..., "`local`: from `path`; `download`: by data/versions.tsv")
    splits: Texts | None = setting(None, "names of official splits; null: the one usually reported")
    most: Count | None = setting(None, MOST)
    apart: PositiveShare = setting(
        0.1, "least distance of two choices", unit="share of the image's longer side"
    )
    canvas: CanvasOverride = optional(OWN_CANVAS)
