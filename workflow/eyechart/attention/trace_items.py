"""Trace a model's attention to the image and its logit lens while it answers.

Reads a model's checkpoint, a dataset's tables and its regions, if any. Writes ``attention.parquet``
to the given path, and ``lens``, ``words`` and ``maps`` next to it. The model is loaded once with
``eager`` attention, and gets each item with the prompt of the behavior stage. If a family returns
no attention weights or has no usable head, the affected tables have no rows and say why in notes.

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
from pathlib import Path
from typing import Annotated

from tqdm import tqdm

from eyechart.attention.measure import SCHEMAS, ItemTracer
from eyechart.attention.rows import Tables
from eyechart.attention.settings import AttentionSettings, first_of_each_task
from eyechart.core import errors
from eyechart.core.step import Fields, Paths, command
from eyechart.inference.chosen_items import choose_items, read_image_files
from eyechart.inference.failures import Failures
from eyechart.inference.marks import marks_by_item
from eyechart.models.attention_weights import load_eager
from eyechart.models.load_options import LoadFlags
from eyechart.models.usable import UnusableError
from eyechart.tables.notes import write_noted

logger = logging.getLogger(__name__)


@command
def main(
    *,
    model: str,
    dataset: str,
    settings: Fields[AttentionSettings],
    items: Path,
    images: Path,
    output: Path,
    regions: Annotated[Paths, {"help": "one, or nothing"}],
    seed: int,
    part: int,
    parts: int,
    flags: LoadFlags,
) -> None:
    """Write the four tables; items that the model's own code rejects are left out and noted."""
    chosen = choose_items(items, settings.items, seed)
    paths, sizes = read_image_files(images)
    for name in {image for item in chosen for image in item["images"]} - set(paths):
        raise errors.UserError(f"items: image {name!r} is not in the image table")
    marks = marks_by_item(chosen, next(iter(regions), None), sizes, seed)
    adapter, refused = load_eager(*flags.what())
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
            logger.info("%s: %s (%d times)", name, what, count)
        path = output.with_name(f"{name}{output.suffix}")
        write_noted(path, tables.whole(name, schema), tracer.notes_of(name))


if __name__ == "__main__":
    main()
