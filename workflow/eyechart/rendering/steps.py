"""Shared code of the rendering steps: command lines, indices of a shard, gathering of shards."""

import argparse
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

from eyechart.core.files import read_json


def drawing_args(about: str | None, argv: list[str]) -> argparse.Namespace:
    """Parse the command line of a step that renders one shard; every flag is required."""
    parser = _parser(about)
    parser.add_argument("--split", required=True)
    parser.add_argument("--shard", type=int, required=True)
    return parser.parse_args(argv)


def writing_args(about: str | None, argv: list[str]) -> argparse.Namespace:
    """Parse the command line of a step that gathers the shards; every flag is required."""
    parser = _parser(about)
    parser.add_argument("--shards", type=Path, nargs="+", required=True)
    return parser.parse_args(argv)


def _parser(about: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(about or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--settings", type=json.loads, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    return parser


def shard_indices(count: int, shard: int, shards: int) -> range:
    """Return the scene indices of one shard: contiguous, all shards within one of equal size."""
    return range(count * shard // shards, count * (shard + 1) // shards)


def indices(args: argparse.Namespace, per: int = 1, times: int = 1) -> Iterator[int]:
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
