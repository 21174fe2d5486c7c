"""Trace a model's attention to the image and its logit lens while it answers.

Reads a model's checkpoint, a dataset's tables and its regions, if it has any. Writes
``attention.parquet`` to the given path, and ``lens``, ``words`` and ``maps`` beside it. The model
is loaded once, with ``eager`` attention, and gets each item with the prompt of the behavior stage.
If a family returns no attention weights or has no usable head, the table has no rows and says why.

    python -m eyechart.attention.trace_items --model tiny_llava --dataset cv_bench \
        --spec config/models/tiny_llava.yaml --checkpoint data/models/tiny_llava \
        --items results/datasets/cv_bench/items.parquet \
        --images results/datasets/cv_bench/images.parquet \
        --regions results/datasets/cv_bench/regions.parquet --seed 7 \
        --settings '{"items": 24, "prompt": "{question}", "choices": "text", \
            "images": 2, "top": 1}' --part 0 --parts 1 \
        --output results/attention/tiny_llava/cv_bench/attention.parquet
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from tqdm import tqdm

from eyechart.attention.measure import SCHEMAS, ItemTracer
from eyechart.attention.regions import Mark, check_inside, marks_of, moved, partners
from eyechart.attention.rows import Tables
from eyechart.attention.settings import AttentionSettings, first_of_each_task
from eyechart.attention.weights import ask_for_weights
from eyechart.core import errors
from eyechart.core.step import Fields, Paths, command
from eyechart.inference.chosen_items import Item, choose_items
from eyechart.inference.failures import Failures
from eyechart.models.families.language import LanguageAdapter
from eyechart.models.load import load
from eyechart.models.load_options import LoadFlags, LoadOptions
from eyechart.models.spec import Spec, read_spec
from eyechart.models.usable import UnusableError
from eyechart.tables.notes import write_noted
from eyechart.tables.parquet import read_table

logger = logging.getLogger(__name__)


def marks_by_item(
    items: Sequence[Item], regions: Path | None, sizes_of: Mapping[str, tuple[int, int]], seed: int
) -> dict[str, list[Mark]]:
    """Return each item's marks, and those of another item of its task moved onto its images.

    Raise a UserError if a region extends beyond its image.
    """
    own = marks_of(regions, items)
    marked = [item for item in items if own[item["item_id"]]]
    sizes = {i["item_id"]: [sizes_of[p] for p in i["images"]] for i in marked}
    found = {item["item_id"]: [m for _, m in own[item["item_id"]]] for item in items}
    for name, marks in found.items():
        for mark in marks:
            check_inside(mark, sizes[name], name)
    controls = {
        name: [moved(m, sizes[other], sizes[name]) for _, m in own[other]]
        for name, other in partners(marked, seed).items()
    }
    return {name: [*marks, *controls.get(name, [])] for name, marks in found.items()}


def load_eager(spec: Spec, checkpoint: Path, loading: LoadOptions) -> tuple[LanguageAdapter, str]:
    """Load a model with eager attention; if refused, without it, and return the reason.

    Raise a UserError if it cannot be loaded either way, or has no language model.
    """
    refused = ""
    try:
        adapter = load(spec, checkpoint, replace(loading, attention="eager"))
    except (errors.UserError, ValueError, ImportError, TypeError) as error:
        adapter = load(spec, checkpoint, loading)  # an error of both attempts is raised here
        refused = f"family {spec.family} refuses eager attention ({' '.join(str(error).split())})"
    if not isinstance(adapter, LanguageAdapter):
        raise errors.UserError(
            f"{spec.checkpoint}: family {spec.family} has no language model, expected a VLM"
        )
    if spec.trust_remote_code and not refused:
        ask_for_weights(adapter)
    return adapter, refused


@command
def main(
    *,
    model: str,
    dataset: str,
    settings: Fields[AttentionSettings],
    spec: Path,
    checkpoint: Path,
    items: Path,
    images: Path,
    output: Path,
    regions: Annotated[Paths, {"help": "one, or nothing"}],
    seed: int,
    part: int,
    parts: int,
    flags: LoadFlags,
) -> None:
    """Write the four tables; items that the model's own code cannot take are left out and noted."""
    chosen = choose_items(items, settings.items, seed)
    table = read_table(images, ["image_id", "path", "width", "height"]).to_pylist()
    paths = {row["image_id"]: row["path"] for row in table}
    sizes = {row["image_id"]: (row["width"], row["height"]) for row in table}
    for name in {image for item in chosen for image in item["images"]} - set(paths):
        raise errors.UserError(f"items: image {name!r} is not in the image table")
    marks = marks_by_item(chosen, next(iter(regions), None), sizes, seed)
    adapter, refused = load_eager(read_spec(spec), checkpoint, flags.options())
    tables = Tables(model, dataset)
    mapped = first_of_each_task(chosen, settings.images)
    tracer = ItemTracer(adapter, settings, paths, tables, refused, mapped)
    start, end = (n * len(chosen) // parts for n in (part, part + 1))
    failures = Failures("items", end - start)
    for item in tqdm(chosen[start:end], unit=" items", mininterval=1.0):
        try:
            tracer.trace_item(item, marks[item["item_id"]])
        except UnusableError as error:
            failures.add(item["item_id"], error)
            for name in SCHEMAS:
                tracer.note(name, f"left out: {error}")
    for name, schema in SCHEMAS.items():
        for what, count in tracer.notes[name].items():
            logger.info("%s: %s (%d x)", name, what, count)
        path = output.with_name(f"{name}{output.suffix}")
        write_noted(path, tables.whole(name, schema), tracer.notes_of(name))


if __name__ == "__main__":
    main()
