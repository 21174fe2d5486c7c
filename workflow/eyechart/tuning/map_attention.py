"""Map the answer position's attention to images, before and after tuning each arm of a task.

Reads the checkpoint, the dataset's items, images and regions, if any, and the adapters trained on
true data. Writes the attention to each image token for a few test items, which are the same for all
arms and are about a marked region if possible.

    python -m eyechart.tuning.map_attention --model tiny_llava_aligned --dataset clevr \
        --task material --seed 7 --spec config/models/tiny_llava_aligned.yaml \
        --checkpoint data/models/tiny_llava_aligned \
        --items results/datasets/clevr/items.parquet \
        --images results/datasets/clevr/images.parquet \
        --regions results/datasets/clevr/regions.parquet \
        --adapters \
        results/tuning/tiny_llava_aligned/clevr/material/lora_lm/true-0/adapter_config.json \
        --settings '{"maps": 2, "prompt": "{question}", "choices": "text"}' \
        --output results/tuning/tiny_llava_aligned/clevr/material/maps.parquet
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from eyechart.core.step import Fields, Paths, command
from eyechart.inference.chosen_items import Item, answerable_items, draw_items
from eyechart.inference.prompts import AskedInOrder, PromptStyle
from eyechart.models.attention_weights import load_eager
from eyechart.models.derivations.adapter import WEIGHTS, attach
from eyechart.models.families.language import LanguageAdapter
from eyechart.models.load_options import LoadFlags
from eyechart.plan import paths
from eyechart.tables.notes import write_noted
from eyechart.tables.parquet import read_table
from eyechart.tables.tuning import TUNED_MAPS
from eyechart.tuning.questions import TunedItems
from eyechart.tuning.region_mass import HiddenError, attention_on_images, marked

logger = logging.getLogger(__name__)
NO_PLACES = "image tokens have no position in the image, so no map is drawn"
Attended = tuple[np.ndarray, list[np.ndarray]]  # see ``attention_on_images``
Row = dict[str, Any]


@dataclass(frozen=True)
class MappedItems:
    """Items, the prompt style, and the rows of all images by id."""

    style: PromptStyle
    images: Mapping[str, Mapping[str, Any]]
    items: Sequence[Item]


@dataclass(frozen=True)
class MapSettings(AskedInOrder):
    """The number of items to map, and the settings of their prompts."""

    maps: int


def mapped_items(path: Path, regions: Path | None, task: str, most: int, seed: int) -> list[Item]:
    """Draw the test items of a task that are mapped, about a marked region if possible."""
    own = answerable_items(path, tasks=[task])
    about = [item for item, *_ in marked(own, regions, len(own))]
    return draw_items(about or own, most, seed)


def attended(
    loaded: tuple[LanguageAdapter, str], folder: Path | None, questions: MappedItems
) -> list[Attended]:
    """Return a loaded model's attention to items' images, with or without an adapter.

    Raise a HiddenError if the model does not return it, for example if it refuses eager attention.
    """
    adapter, refused = loaded
    if refused:
        raise HiddenError(refused)
    if folder:
        attach(adapter, folder)
    asked = TunedItems(adapter, questions.style, "mean", questions.images, 1)
    with torch.no_grad():
        return [attention_on_images(asked, item) for item in questions.items]


def rows(items: Sequence[Item], before: list[Attended], after: list[Attended]) -> Iterator[Row]:
    """Yield one row per image of each item, without the columns that all of them share."""
    for item, (first, places), (second, _) in zip(items, before, after, strict=True):
        ends = np.cumsum([len(own) for own in places])[:-1]
        parts = [np.split(first, ends), np.split(second, ends), places]
        for number, (image, *own) in enumerate(zip(item["images"], *parts, strict=True)):
            named = {"item_id": item["item_id"], "image_id": image, "number": number}
            lists = (part.tolist() for part in own)
            yield named | dict(zip(("before", "after", "places"), lists, strict=True))


def mapped(
    look: Callable[[Path | None], list[Attended]], items: Sequence[Item], folders: Iterable[Path]
) -> tuple[list[Row], dict[str, str]]:
    """Return the rows of all adapters, and the table's notes."""
    found: list[Row] = []
    try:
        before = look(None)
        for folder in folders:
            of = paths.ADAPTER.match(folder / WEIGHTS) or {}
            named = {"arm": of["arm"], "seed": int(of["training"].rpartition("-")[2])}
            found += [named | row for row in rows(items, before, look(folder))]
            logger.info("%s: %d items are mapped", of["arm"], len(items))
    except HiddenError as error:
        logger.warning("no attention is mapped: %s", error)
        return [], {"reason": str(error)}
    hidden = all(np.isnan(own[:, 3]).all() for _, places in before for own in places)
    return found, {"note": NO_PLACES if before and hidden else ""}


@command
def main(
    *,
    model: str,
    dataset: str,
    task: str,
    settings: Fields[MapSettings],
    items: Path,
    images: Path,
    regions: Paths,
    adapters: list[Path],
    seed: int,
    output: Path,
    flags: LoadFlags,
) -> None:
    """Write the table; the model is loaded once per adapter."""
    chosen = mapped_items(items, next(iter(regions), None), task, settings.maps, seed)
    shown = {row["image_id"]: row for row in read_table(images).to_pylist()}
    questions = MappedItems(settings.style(), shown, chosen)

    def look(folder: Path | None) -> list[Attended]:
        return attended(load_eager(*flags.what()), folder, questions)

    found, notes = mapped(look, chosen, dict.fromkeys(path.parent for path in adapters))
    named = {"model": model, "dataset": dataset, "task": task}
    write_noted(output, pa.Table.from_pylist([named | row for row in found], TUNED_MAPS), notes)


if __name__ == "__main__":
    main()
