"""Shared code of the rendering steps: command lines, shards, official files."""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from tqdm import tqdm

from eyechart.core.errors import UserError
from eyechart.core.files import read_json, write_text
from eyechart.core.step import Json
from eyechart.tables.receipt import SplitCounts, write_receipt

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])  # type in Hugging Face's files
SHARDS = "shards"  # files under it are copied into the official files and not kept


@dataclass(frozen=True)
class _Rendering:
    dataset: str
    settings: Json
    seed: int
    root: Path
    output: Path


@dataclass(frozen=True)
class Drawing(_Rendering):
    """The flags of a step that renders one shard."""

    split: str
    shard: int


@dataclass(frozen=True)
class Writing(_Rendering):
    """The flags of a step that gathers the shards."""

    shards: list[Path]


def shard_indices(count: int, shard: int, shards: int) -> range:
    """Return the contiguous scene indices of one shard; shard sizes differ by at most one."""
    return range(count * shard // shards, count * (shard + 1) // shards)


def indices(args: Drawing, per: int = 1, times: int = 1) -> Iterator[int]:
    """Yield the indices that one shard renders, with a progress bar.

    ``per``, ``times``: a split with count n has ``n // per * times`` indices.
    """
    count = args.settings["splits"][args.split] // per * times
    mine = shard_indices(count, args.shard, args.settings["shards"])
    yield from tqdm(mine, desc=f"{args.dataset}/{args.split}", unit="scene", mininterval=2)


def read_shards(
    paths: Iterable[Path], root: Path, key: str, order: str
) -> tuple[list[Path], list[dict[str, Any]]]:
    """Read the shards; return the files that stay in the dataset, and the records in order."""
    shards = [read_json(path) for path in paths]
    listed = [entry["path"] for shard in shards for entry in shard["files"]]
    records = [record for shard in shards for record in shard[key]]
    kept = [root / path for path in listed if not path.startswith(f"{SHARDS}/")]
    return kept, sorted(records, key=lambda record: record[order])


def file_bytes(root: Path, path: str) -> bytes:
    """Return the bytes of a file that a shard lists. Raise a UserError if it is missing."""
    try:
        return (root / path).read_bytes()
    except FileNotFoundError:
        raise UserError(
            f"{root / path}: no such file, but the shard lists it; delete {root / SHARDS} and "
            "render again"
        ) from None


def embedded(root: Path, path: str) -> dict[str, Any]:
    """Return a rendered image as an :data:`IMAGE`: bytes and name."""
    return {"bytes": file_bytes(root, path), "path": Path(path).name}


def only_split(args: Writing) -> str:
    """Return the only split of a layout whose files do not name splits."""
    splits = list(args.settings["splits"])
    if len(splits) != 1:
        raise UserError(
            f"datasets.{args.dataset}.splits names {', '.join(splits) or 'none'}; this layout has "
            "exactly one, e.g. {test: 36}"
        )
    return str(splits[0])


def write_csv(path: Path, header: Iterable[str], rows: Iterable[Iterable[Any]]) -> Path:
    """Write a CSV table with a header, atomically; return its path."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([header, *rows])
    write_text(path, buffer.getvalue())
    return path


def finish(
    args: Writing, layout: str, splits: dict[str, tuple[int, int]], files: list[Path]
) -> None:
    """Write the receipt of a rendered dataset, with numbers of images and questions per split."""
    counts = {s: SplitCounts(images=i, questions=q) for s, (i, q) in splits.items()}
    write_receipt(
        args.root, dataset=args.dataset, layout=layout, source="render", splits=counts, files=files
    )
