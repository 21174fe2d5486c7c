"""Shared code of the rendering steps: command lines, indices of a shard, gathering of shards."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from eyechart.core.files import read_json
from eyechart.core.step import Json


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
    """Return the scene indices of one shard: contiguous, all shards within one of equal size."""
    return range(count * shard // shards, count * (shard + 1) // shards)


def indices(args: Drawing, per: int = 1, times: int = 1) -> Iterator[int]:
    """Yield the indices that one shard renders, with a progress bar.

    Parameters
    ----------
    per, times : int
        Each index covers ``per`` of the split's number, and each of those is rendered ``times``.
    """
    count = args.settings["splits"][args.split] // per * times
    mine = shard_indices(count, args.shard, args.settings["shards"])
    yield from tqdm(mine, desc=f"{args.dataset}/{args.split}", unit="scene", mininterval=2)


def read_shards(
    paths: Iterable[Path], root: Path, key: str, order: str = "image_index"
) -> tuple[list[Path], list[dict[str, Any]]]:
    """Read the shards; return the files that they list, and their records in order."""
    shards = [read_json(path) for path in paths]
    files = [root / entry["path"] for shard in shards for entry in shard["files"]]
    records = [record for shard in shards for record in shard[key]]
    return files, sorted(records, key=lambda record: record[order])
