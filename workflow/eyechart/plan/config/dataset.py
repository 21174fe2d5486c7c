"""The keys shared by the sections of all datasets."""

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
    Split,
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
MOST = "maximum number of items per task, drawn with the seed; null: all"
OWN_CANVAS = "overrides of `canvas` for this dataset"
OFFICIAL = "official"  # the dataset's own wording
WORDING = "questions by task"
WORDED = "its question; `official`: the dataset's own"


class Dataset(Section):
    """The keys of every dataset."""

    LAYOUT: ClassVar[Layout]  # the layout's requirements on the workflow
    RELEASED: ClassVar[tuple[str, ...]] = ("test",)  # the default splits

    layout: str = setting(..., "the layout of its files")
    source: Source = setting(
        ...,
        "`render`: rendered by the workflow; `local`: from `path`; `download`: as listed in "
        "data/versions.tsv",
    )
    path: File = optional("source `local`: a folder or archive in the official layout")
    splits: dict[Split, Count] | Texts | None = setting(
        None,
        "names of official splits; for source `render`, number of images by split: "
        "`{train: 900, val: 300}`; null: the split that is usually reported",
    )
    seed: Seed = optional(
        "its own seed for scenes, questions and derived split; default: `seed` above"
    )
    test_share: PositiveShare = setting(
        1, "share of the groups in the test set of the derived split; 1 leaves nothing to probe"
    )
    parts: Jobs | Literal["auto"] = setting(
        1,
        "jobs per model for extraction, answers and attention traces; `auto`: one per 0.8 billion "
        "parameters, and for extraction one per 3 billion",
    )
    models: Names = optional("models under `models` that are examined on it; default: all")
    tasks: Names | None = setting(
        None, "tasks to probe; null: all tasks of the layout, if the split leaves training items"
    )

    def all_splits(self) -> list[str]:
        """Return the splits that are used if none are listed."""
        return list(self.RELEASED)

    def too_few(self, task: str, folds: int, test_share: float | None) -> str:
        """Return why a task has too few rows to be probed, or an empty string."""
        return ""

    def all_tasks(self) -> list[str]:
        """Return the tasks that are probed if none are listed."""
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
                f" is {self.splits}, expected for source 'render' the number of images of each "
                "split, e.g. {train: 900, val: 300}",
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

    shards: Jobs = setting(1, "source `render`: jobs per split; does not change the images")
    truth: bool = setting(False, "source `render`: keep masks and depth maps")
    rendering: RenderingOverride = optional(
        "source `render`: overrides of `rendering` for this dataset"
    )


class Points(Dataset):
    """The keys of datasets of corresponding points."""

    source: Published = setting(
        ..., "`local`: from `path`; `download`: as listed in data/versions.tsv"
    )
    splits: Texts | None = setting(None, "names of official splits; null: the one usually reported")
    most: Count | None = setting(None, MOST)
    apart: PositiveShare = setting(
        0.1, "minimum distance between two choices", unit="share of the image's longer side"
    )
    canvas: CanvasOverride = optional(OWN_CANVAS)
