"""Numbers of images and items of a dataset: counted if it is prepared, otherwise estimated.

Snakemake imports this module at parse time, so pyarrow is imported only when a table is read. An
estimate uses the released numbers in a dataset's layout, the images to render, or the rows of the
user's own table.
"""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path
from typing import Any

from eyechart.data.own.survey import survey
from eyechart.plan import paths
from eyechart.plan.layout import Size
from eyechart.plan.registry import layout_of

UNKNOWN = 10_000  # images of a split of unknown size
STALE = 4  # tables smaller than expected by this factor belong to another configuration


def count(dataset: str, wanted: Size, results: str = paths.RESULTS) -> Size:
    """Return the size of a dataset: from its tables if they exist, otherwise the expected size."""
    tables = [Path(table.at(results, dataset=dataset)) for table in (paths.ITEMS, paths.IMAGES)]
    try:
        changed = tuple(table.stat().st_mtime_ns for table in tables)
        found = _prepared(*tables, changed)
    except (OSError, ImportError, ValueError, KeyError):  # missing or unreadable, or no pyarrow
        return wanted
    return wanted if STALE * (found.images + found.items) < wanted.images + wanted.items else found


def expected(config: dict[str, Any], dataset: str) -> Size:
    """Return the size that a dataset is expected to have."""
    settings, layout = config["datasets"][dataset], layout_of(config, dataset)
    if layout.own_tasks:
        found = _own(settings)
    else:
        splits, known = settings["splits"], layout.released
        units = UNKNOWN if not known else max(known.values())
        counts = splits if isinstance(splits, dict) else {s: known.get(s, units) for s in splits}
        most = [settings[key] for key in ("most", "subset") if settings.get(key)]
        found = layout.size(settings, sum(min([n, *most]) for n in counts.values()))
    share = settings["test_share"]
    return dataclasses.replace(found, tested=found.items * share, groups=found.images)


@cache
def _prepared(items: Path, images: Path, changed: tuple[int, ...]) -> Size:
    import pyarrow.compute as pc  # noqa: PLC0415 - only needed for prepared datasets
    import pyarrow.parquet as pq  # noqa: PLC0415

    table = pq.read_table(items, columns=["group", "group_split", "task", "choices"])
    lengths = pc.fill_null(pc.list_value_length(table["choices"]), 0)
    closed = lengths.filter(pc.greater(lengths, 0))
    tasks = {e["values"]: e["counts"] for e in table["task"].value_counts().to_pylist()}
    return Size(
        images=pq.read_metadata(images).num_rows,
        items=table.num_rows,
        choices=pc.mean(closed).as_py() or 1,
        open=table.num_rows - len(closed),
        tested=pc.sum(pc.equal(table["group_split"], "test")).as_py() or 0,
        groups=pc.count_distinct(table["group"]).as_py(),
        tasks=tasks,
    )


def _own(settings: dict[str, Any]) -> Size:
    """Return the size of the user's own data, from its table's rows."""
    found = survey(settings)
    if found is None:
        return Size(images=UNKNOWN, items=UNKNOWN)
    return Size(
        images=len(found.images),
        items=found.rows,
        choices=found.choices or 1,
        open=found.open,
        tasks=dict(found.asked),
    )
