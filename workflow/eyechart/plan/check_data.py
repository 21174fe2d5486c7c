"""Print the data that a configuration would examine: rows, tasks, classes and splits.

Nothing is run and no model is loaded. Rows are read, split and checked by the same functions as in
a run, so the table agrees with the run. The number and the expected cost of the jobs follow.
``snakemake check_data`` calls this with its own configuration.

    python -m eyechart.plan.check_data --snakefile Snakefile \
        --settings '{"configfiles": ["mine.yaml"], "config": {}}'
"""

import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from eyechart.core.files import sha256
from eyechart.core.step import Json, command
from eyechart.data.open_image import is_readable
from eyechart.data.own import prepare
from eyechart.data.own.entries import OwnEntry
from eyechart.data.own.import_local import Located
from eyechart.data.own.readable import complete
from eyechart.data.own.sources import open_source, read_entries
from eyechart.plan.config.check import check
from eyechart.plan.configuration import of_run, read_specs, tasks_for
from eyechart.plan.registry import layout_of
from eyechart.plan.resource_table import Asked, given, jobs
from eyechart.plan.sizes import Sizes
from eyechart.plan.workflow import WorkflowPlan
from eyechart.statistics.splits import Usable, usable
from eyechart.tables.items import LABEL, SPLIT_RULES

HEADER = (
    "dataset",
    "task",
    "rows",
    "classes",
    "train",
    "test",
    "probed in",
    "left out, or why not probed",
)
JOB_S = 5  # overhead of a job: start, imports, checks (measured: 3 to 7 s on two cores)
Row = dict[str, Any]


def rows_of(dataset: str, section: Row, seed: int) -> tuple[list[Row], list[Row]]:
    """Return the items and images of a user's own dataset as in a run; write nothing.

    Raise a UserError for the first mistake in the table or its files.
    """
    path = Path(section["path"])
    taken: dict[str, Path] = {}
    allowed = bool(section.get("allow_missing"))

    def located(base: Path) -> Located:
        return Located(base, taken, allowed)

    sources = open_source(section["layout"], path)
    entries = list(read_entries(sources, section, path, located))
    if allowed:
        entries = complete(entries, {name for name, file in taken.items() if is_readable(file)})
    split = prepare.split_of(dataset, seed, section["test_share"])
    items = prepare.item_rows(entries, section, _hashes(taken, entries), split)
    return items, prepare.image_rows(Path(), entries, items)


def _hashes(files: dict[str, Path], entries: list[OwnEntry]) -> dict[str, str]:
    """Return a value per image that identifies its content: a hash if files share a size."""
    names = {name for entry in entries for name in entry["images"]}
    sizes = {name: files[name].stat().st_size for name in names if name in files}
    shared = Counter(sizes.values())
    return {name: sha256(files[name]) if shared[sizes.get(name, 0)] > 1 else name for name in names}


def judged(rows: list[Row], label: str, split: str, folds: int) -> tuple[Usable, np.ndarray]:
    """Return which rows can be probed for a column, and which are in the training set."""
    column, trains, tested = SPLIT_RULES[split]
    used = [r for r in rows if r.get(label) is not None and r[column] in (trains, tested)]
    train = np.array([row[column] == trains for row in used], dtype=bool)
    values, groups = (np.array([r[key] for r in used], dtype=np.str_) for key in (label, "group"))
    return usable(values, groups, train, folds), train


def task_rows(
    plan: WorkflowPlan, dataset: str, items: list[Row], images: list[Row]
) -> Iterator[list[str]]:
    """Yield one line per task of a user's dataset: its rows and classes, and where it is probed."""
    config, section = plan.config, plan.config["datasets"][dataset]
    tasks = list(dict.fromkeys(item["task"] for item in items))
    labels = list(section.get("columns", {}).get("labels", {}))
    known = plan.own.unprobed.get(dataset, {})
    for task in [*tasks, *labels]:
        of_images = task in labels
        rows = images if of_images else [item for item in items if item["task"] == task]
        how = config["probing"]["split"], config["probing"]["folds"]
        found, train = judged(rows, LABEL + task if of_images else "answer", *how)
        asked = [m for m in plan.models if task in tasks_for(config, plan.specs, m, dataset)]
        counts = [int((found.kept & part).sum()) for part in (train, ~train)]
        values = {row.get(LABEL + task if of_images else "answer") for row in rows} - {None}
        left = ", ".join(f"{name} ({n})" for name, n in found.left_out.items())
        why = known.get(task) or (found.refusal if asked else "not among tasks, or no choices")
        probed = ", ".join(asked) if asked and not found.refusal else "none"
        told = left if probed != "none" else why
        sizes = [len(rows), len(values) - len(found.left_out), *counts]
        yield [dataset, task, *map(str, sizes), probed, told]


def table(lines: Iterable[list[str]]) -> str:
    """Return a Markdown table with columns aligned for a terminal."""
    rows = [list(HEADER), *lines]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, ["-" * width for width in widths])
    return "\n".join(
        f"| {' | '.join(c.ljust(w) for c, w in zip(row, widths, strict=True))} |" for row in rows
    )


def expected(plan: WorkflowPlan, asked: list[Asked]) -> str:
    """Return a sentence with the number of jobs and their approximate time and disk space."""
    sizes = Sizes(plan.config, plan.specs, of_run(plan.config["run"])["results"])
    seconds, stored = float(JOB_S * len(asked)), 0.0
    answered, extracted = set(plan.behavior.runs()), set(plan.probing_runs())
    for model, dataset in answered | extracted:
        size, gpus = sizes.size(dataset), sizes.gpus_needed(model)
        kind, passes = plan.specs[model].kind, 0.0
        if (model, dataset) in answered:
            passes += len(plan.behavior.conditions(kind)) * sizes.asked(dataset)
        if (model, dataset) in extracted:
            rows = size.images + (size.items if kind == "vlm" else 0)
            passes += rows
            stored += sizes.stored_mb(model, rows)
        seconds += passes * sizes.forward_seconds(model, gpus) + sizes.loading_seconds(model)
    cores = os.cpu_count() or 1
    minutes = math.ceil(seconds / 60)
    return (
        f"{len(asked):,} jobs; about {minutes:,} minutes if they run one at a time (this machine "
        f"has {cores} cores), and {max(1, math.ceil(stored)):,} MB of activations."
    )


def answers(plan: WorkflowPlan, own: Mapping[str, tuple[list[Row], list[Row]]]) -> str:
    """Return sentences about which models answer which datasets and which items encoders skip.

    ``own`` contains the items and images of the user's own datasets.
    """
    told = []
    for dataset in plan.behavior.datasets:
        models = [m for m, d in plan.behavior.runs() if d == dataset]
        told.append(f"{dataset} is answered by {', '.join(models) or 'no model'}.")
        encoders = [m for m in models if plan.specs[m].kind == "encoder"]
        if dataset in own and encoders:
            items, _ = own[dataset]
            several = sum(len(item["images"]) > 1 for item in items)
            if several:
                told.append(
                    f"{several} of its {len(items)} items have several images and are skipped by "
                    f"{', '.join(encoders)}."
                )
    return "\n".join(told)


@command
def main(*, settings: Json, snakefile: Path) -> None:
    """Print the table of tasks, the answering models, and the cost of the jobs."""
    config = check(given(settings).overwrite_config, settings["configfiles"])
    plan = WorkflowPlan(config, read_specs(config["checkpoints"]))
    plan.check()
    own = {
        dataset: rows_of(dataset, section, config["seed"])
        for dataset, section in config["datasets"].items()
        if layout_of(config, dataset).own_tasks
    }
    print(table(line for dataset, held in own.items() for line in task_rows(plan, dataset, *held)))
    print(f"\n{answers(plan, own)}\n{expected(plan, jobs(settings, snakefile))}")


if __name__ == "__main__":
    main()
