"""How many images and items a dataset has: counted where it is prepared, and else estimated.

Snakemake imports this module at parse time, so pyarrow is imported only where a table is read. An
estimate takes the released numbers that stand in a dataset's layout, the images to render, or the
rows of the user's own table.
"""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path
from typing import Any

from eyechart.plan import paths
from eyechart.plan.layout import Size
from eyechart.plan.registry import layout_of

UNKNOWN = 10_000  # images of a split that nobody counted
TABLES = (".csv", ".tsv", ".jsonl", ".parquet", ".arrow")
STALE = 4  # tables that hold so many times less than is expected are of another configuration


def count(config: dict[str, Any], dataset: str, results: str = paths.RESULTS) -> Size:
    """Return the size of a dataset: of its tables if they exist, else as expected."""
    tables = [Path(table.at(results, dataset=dataset)) for table in (paths.ITEMS, paths.IMAGES)]
    wanted = expected(config, dataset)
    try:
        changed = tuple(table.stat().st_mtime_ns for table in tables)
        found = _prepared(*tables, changed)
    except (OSError, ImportError, ValueError, KeyError):  # not there, not readable, no pyarrow
        return wanted
    return wanted if STALE * (found.images + found.items) < wanted.images + wanted.items else found


def expected(config: dict[str, Any], dataset: str) -> Size:
    """Return the size that a dataset will have."""
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
    import pyarrow.compute as pc  # noqa: PLC0415 - not wanted where nothing is prepared
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
    """Return the size of the user's own data, from the rows of its files."""
    path = Path(settings["path"])
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    if settings["layout"] == "folder":
        rows = len(files)
    else:
        tables = [f for f in files if f == path or f.suffix in TABLES]
        rows = sum(_rows(file, file.stat().st_mtime_ns) for file in tables)
    image = settings.get("columns", {}).get("image", "image")
    shown = len(image) if isinstance(image, list) else 1
    choices = len(settings.get("choices", ())) or Size.choices
    return Size(images=rows * (shown + (shown > 1)), items=rows, choices=choices)


@cache
def _rows(path: Path, changed: int) -> int:
    """Return at least as many rows as a table has; of one that cannot be read, its lines."""
    try:
        if path.suffix == ".parquet":
            import pyarrow.parquet as pq  # noqa: PLC0415

            return int(pq.read_metadata(path).num_rows)
        if path.suffix == ".arrow":
            import pyarrow as pa  # noqa: PLC0415

            with pa.memory_map(str(path)) as source:
                return sum(batch.num_rows for batch in pa.ipc.open_stream(source))
    except (ImportError, ValueError, OSError):  # the step that reads it says what is wrong
        pass
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b"")) + 1
