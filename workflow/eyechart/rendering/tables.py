"""Shared code to write pairs of MMVP and MMVP-VLM: numbers, tables, receipt."""

import csv
import io
from pathlib import Path
from typing import Any

from eyechart.core.errors import UserError
from eyechart.core.files import write_text
from eyechart.rendering import steps as rendering_steps
from eyechart.tables.receipt import SplitCounts, write_receipt

Record = dict[str, Any]  # shard record of a pair, see eyechart.rendering.datasets.mmvp.pairs
Tables = dict[str, tuple[tuple[str, ...], list[list[Any]]]]  # file: header, rows


def numbers(record: Record) -> tuple[int, int]:
    """Return the official numbers of a pair's two images: 1 and 2, then 3 and 4."""
    return 2 * record["pair"] + 1, 2 * record["pair"] + 2


def only_split(args: rendering_steps.Writing) -> str:
    """Return the only split of these layouts, whose files do not name it."""
    splits = list(args.settings["splits"])
    if len(splits) != 1:
        raise UserError(
            f"datasets.{args.dataset}.splits names {', '.join(splits) or 'none'}; this layout has "
            "exactly one, e.g. {test: 36}"
        )
    return str(splits[0])


def read_pairs(args: rendering_steps.Writing) -> tuple[list[Path], list[Record]]:
    """Read the shards; return the files that they list, and their pairs in order."""
    return rendering_steps.read_shards(args.shards, args.root, "pairs", order="pair")


def write_tables(
    args: rendering_steps.Writing,
    layout: str,
    files: list[Path],
    pairs: list[Record],
    tables: Tables,
) -> None:
    """Write CSV tables in the official format, then the receipt."""
    for name, (header, rows) in tables.items():
        buffer = io.StringIO()
        csv.writer(buffer, lineterminator="\n").writerows([header, *rows])
        write_text(args.root / name, buffer.getvalue())
    count = 2 * len(pairs)
    write_receipt(
        args.root,
        dataset=args.dataset,
        layout=layout,
        source="render",
        splits={only_split(args): SplitCounts(images=count, questions=count)},
        files=[*files, *(args.root / name for name in tables)],
    )
