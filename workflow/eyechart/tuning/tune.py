"""Tune one arm of a model on a task's training set, and answer test items before and after.

Steps and learning rate are chosen by grouped folds of the training set, on true data. As controls,
the same training is done on white images and with shuffled answers. Reads the checkpoint, the items
and images of the dataset and of other datasets on which forgetting is measured, and the dataset's
regions, if any. Writes the table of answers and, next to it, the curves and an adapter per training
in PEFT's layout.

    python -m eyechart.tuning.tune --model tiny_llava_aligned --task material --arm lora_lm \
        --seed 7 --spec config/models/tiny_llava_aligned.yaml \
        --checkpoint data/models/tiny_llava_aligned --datasets clevr \
        --items results/datasets/clevr/items.parquet \
        --images results/datasets/clevr/images.parquet \
        --regions results/datasets/clevr/regions.parquet --threads 1 \
        --settings '{"data": ["true", "blank"], "seeds": 1, "rank": 3, "items": 50, \
            "attended": 20, "training": 200, "steps": 40, "batch_size": 16, "folds": 2, \
            "eval_every": 20, \
            "learning_rates": {"prompt": [0.02], "lora": [0.002, 0.01]}, \
            "gradient_checkpointing": false, "prompt": "{question}", "choices": "text", \
            "scoring": "mean"}' \
        --output results/tuning/tiny_llava_aligned/clevr/material/lora_lm/answers.parquet
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from eyechart.core.errors import UserError, nearest
from eyechart.core.files import sha256
from eyechart.core.fingerprint import fingerprint
from eyechart.core.step import Fields, Paths, command
from eyechart.inference.chosen_items import Item, answerable_items, draw_items
from eyechart.models.families.language import LanguageAdapter
from eyechart.models.load import load, module_of
from eyechart.models.load_options import LoadFlags
from eyechart.models.sources.ready_file import NAME
from eyechart.tables.conditions import BLANK
from eyechart.tables.curves import CURVE
from eyechart.tables.parquet import read_table, write_table
from eyechart.tables.tuning import BEFORE, ON_BLANK, TUNED
from eyechart.training.step_helpers import make_deterministic
from eyechart.tuning.arms import make_arm, save, save_memory
from eyechart.tuning.questions import TunedItems
from eyechart.tuning.region_mass import Marked, marked, masses
from eyechart.tuning.settings import ArmSettings
from eyechart.tuning.train import Trainer

logger = logging.getLogger(__name__)
STEP = "eyechart.tuning.tune"


def training_items(path: Path, task: str, most: int, seed: int) -> list[Item]:
    """Return the items of a task to train on; raise a UserError if there are none."""
    every = answerable_items(path, "train")
    tasks = sorted({str(item["task"]) for item in every})
    if task not in tasks:
        raise UserError(f"{path}: no training item of task {task!r}; {nearest(task, tasks)}")
    return draw_items([item for item in every if item["task"] == task], most, seed)


def tested(
    questions: TunedItems,
    asked: Sequence[tuple[str, Item]],
    known: Marked = (),
    blank: bool = False,
) -> Iterator[dict[str, Any]]:
    """Yield the columns of each (dataset, item)'s answer, with attention to marked regions."""
    attended = masses(questions, known)
    for (dataset, item), scores in zip(
        asked, questions.answers([i for _, i in asked], blank), strict=True
    ):
        chosen, truth = questions.said(item, scores), item["choices"].index(item["answer"])
        yield {
            "dataset": dataset,
            **{name: item[name] for name in ("item_id", "task", "group", "answer")},
            "log_probability": scores,
            "predicted": item["choices"][chosen],
            "chosen": chosen,
            "truth": truth,
            "right": chosen == truth,
            "region_mass": attended.get(item["item_id"]) if dataset == asked[0][0] else None,
        }


@command
def main(
    *,
    model: str,
    task: str,
    arm: str,
    datasets: list[str],
    settings: Fields[ArmSettings],
    items: list[Path],
    images: list[Path],
    regions: Paths,
    threads: int,
    seed: int,
    output: Path,
    flags: LoadFlags,
) -> None:
    """Write the answers, the curves and each training's adapter."""
    make_deterministic(threads)
    known = training_items(items[0], task, settings.training, seed)
    asked = [
        (dataset, item)
        for dataset, path in zip(datasets, items, strict=True)
        for item in draw_items(answerable_items(path), settings.items, seed)
    ]
    shown = {row["image_id"]: row for path in images for row in read_table(path).to_pylist()}
    adapter = load(*flags.what())
    if not isinstance(adapter, LanguageAdapter):
        raise UserError(f"{model}: family {adapter.spec.family} has no language model to tune")
    style, scoring = settings.style(), settings.scoring
    questions = TunedItems(adapter, style, scoring, shown, settings.batch_size)
    own = [item for dataset, item in asked if (dataset, item["task"]) == (datasets[0], task)]
    about = marked(own, next(iter(regions), None), settings.attended)
    before = list(tested(questions, asked, about))
    learner = make_arm(adapter, arm, settings.rank, questions.words(known))
    questions.tune(learner.components)
    questions.share = not settings.gradient_checkpointing
    if settings.gradient_checkpointing:
        save_memory(adapter.model)
    identity = {
        "arm": arm,
        "settings": settings.__dict__,
        "loading": flags.loading,
        "device": adapter.device.type,
        "code": [fingerprint(step) for step in (STEP, module_of(adapter.spec.family))],
        "read": [sha256(path) for path in (flags.checkpoint / NAME, *items, *images, *regions)],
    }
    trainer = Trainer(questions, learner, arm, settings, known, seed, identity, output.parent)
    steps, rate, curves = trainer.choose()
    count = sum(p.numel() for p in learner.parameters.values())
    logger.info("%s: %d parameters, %d steps at %g", arm, count, steps, rate)
    named: dict[str, Any] = {"model": model, "tuned_on": datasets[0], "tuned_task": task}
    named |= {"arm": arm, "parameters": count, "steps": steps, "learning_rate": rate}
    rows = [named | {"data": BEFORE, "seed": None} | row for row in before]
    for number in range(settings.seeds):
        for data in settings.data:
            run = f"{data}-{number}"
            curves[run] = trainer.train(run, known, data, number, (steps, rate))
            save(learner, model, output.parent / run)
            said = tested(questions, asked, about)
            rows += [named | {"data": data, "seed": number} | row for row in said]
            if data == BLANK:
                said = tested(questions, [(datasets[0], item) for item in own], blank=True)
                rows += [named | {"data": ON_BLANK, "seed": number} | row for row in said]
    points = [(run, *point) for run, curve in curves.items() for point in curve]
    columns = [dict(zip(CURVE.names, point, strict=True)) for point in points]
    write_table(output.with_name("curve.parquet"), pa.Table.from_pylist(columns, CURVE))
    write_table(output, pa.Table.from_pylist(rows, TUNED))
    for run in curves:
        (output.parent / f"{run}.checkpoint.safetensors").unlink(missing_ok=True)


if __name__ == "__main__":
    main()
