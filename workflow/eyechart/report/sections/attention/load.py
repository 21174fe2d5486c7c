"""Attention and logit lens: the summary of a model on a dataset, and the sample items."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from eyechart.core.address import sort_key
from eyechart.core.errors import UserError
from eyechart.report.files import Inputs, check_pair, identify
from eyechart.report.format import share
from eyechart.report.labels import natural
from eyechart.report.overlays import Picture
from eyechart.tables.attention import ANSWER, LENS, MAPS, SUMMARY, WORDS
from eyechart.tables.notes import read_noted
from eyechart.tables.parquet import read_table
from eyechart.tables.regions import CANVAS, read_regions, roles_of
from eyechart.tables.scores import ALL
from eyechart.tables.token_boxes import coverage

ROLE_NAMES = {"reference": "REF", "right": "right choice", "wrong": "wrong choices"}
KINDS = {  # keys of notes, with their subjects
    "attention_reason": "No attention is shown",
    "attention_note": "Attention",
    "lens_reason": "No logit lens is shown",
    "lens_note": "Logit lens",
}


@dataclass(frozen=True)
class Traced:
    """One model on one dataset; ``rows`` are the rows of the summary."""

    model: str
    dataset: str
    rows: pl.DataFrame
    notes: dict[str, str]

    def tasks(self) -> list[str]:
        """Return the tasks, starting with the one over all tasks."""
        return sorted(set(self.rows["task"]), key=lambda t: (t != ALL, natural(t)))

    def of(self, metric: str, *roles: str, heads: bool = False) -> list[dict[str, Any]]:
        """Return the rows of a metric, in task order, then in model order."""
        kept = self.rows.filter(pl.col("metric") == metric)
        kept = kept.filter(pl.col("head").is_not_null() == heads)
        found = [r for r in kept.to_dicts() if not roles or r["role"] in roles]
        tasks = self.tasks()
        return sorted(
            found, key=lambda r: (tasks.index(r["task"]), r["role"], sort_key(r["address"]))
        )

    def missing(self) -> list[str]:
        """Return sentences about missing measurements."""
        return [f"{words}: {self.notes[k]}." for k, words in KINDS.items() if self.notes.get(k)]


@dataclass(frozen=True)
class TracedImage(Picture):
    """One image of an item, with its attention."""

    # by address, float32, shape (t,); attention to each token of that image, mean over heads
    maps: dict[str, np.ndarray]
    places: np.ndarray  # float32, shape (t, 7)
    words: list[dict[str, Any]]  # the logit lens per address; see :func:`words_of`


def read_traced(paths: Sequence[Path]) -> list[Traced]:
    """Read summaries, sorted by dataset and model.

    Raise a UserError if a row's model or dataset differs from its path, or if a row has a value
    without n and interval.
    """
    found = []
    for path in sorted(paths, key=lambda path: identify(path).pair[::-1]):
        table, notes = read_noted(path, SUMMARY)
        rows = pl.DataFrame(table)
        check_summary(path, rows)
        found.append(Traced(*identify(path).pair, rows, notes))
    return found


def read_examples(inputs: Inputs, traced: Traced) -> list[TracedImage]:
    """Read the images that have a map, sorted by task, item and position in the item.

    ``inputs``: include the tables ``maps``, ``lens`` and ``words`` of the model on the dataset, and
    the dataset's ``items``, ``images`` and, if any, ``regions``.
    """
    pair = traced.model, traced.dataset
    maps, lens, words = (
        next(file.path for file in inputs.of(name) if file.pair == pair)
        for name in ("maps", "lens", "words")
    )
    items, images = (inputs.by_dataset(name)[traced.dataset] for name in ("items", "images"))
    regions = inputs.by_dataset("regions").get(traced.dataset)
    drawn = pl.DataFrame(read_noted(maps, MAPS)[0]).sort("item_id", "number")
    steps = pl.DataFrame(read_noted(lens, LENS)[0]).filter(pl.col("place") == ANSWER)
    tokens = pl.DataFrame(read_noted(words, WORDS)[0]).filter(pl.col("rank") == 1)
    known = {row["item_id"]: row for row in read_table(items).to_pylist()}
    paths = dict(pl.DataFrame(read_table(images, ["image_id", "path"])).rows())
    marked = read_regions(regions, CANVAS) if regions else {}
    found = []
    before: Counter[str] = Counter()  # image tokens of the item's earlier images
    for (name, number), own in drawn.group_by("item_id", "number", maintain_order=True):
        if name not in known:
            raise UserError(f"{items}: item {name!r} of {maps} is missing")
        image = own["image_id"][0]
        there = [r for i, r in marked.get(str(name), {}).values() if i == image]
        places = np.array(own["places"][0].to_list(), dtype=np.float32).reshape(-1, 7)
        nothing = np.zeros(before[name])
        covered = {r.name: np.concatenate([nothing, coverage(places, r)]) for r in there}
        here = pl.col("item_id") == name
        example = TracedImage(
            item=known[name],
            number=int(number),
            image=Path(paths[image]),
            maps={row["address"]: np.array(row["attention"]) for row in own.to_dicts()},
            places=places,
            regions=there,
            roles=roles_of(known[name]),
            words=words_of(steps.filter(here), tokens.filter(here), covered),
        )
        before[name] += len(places)
        found.append(example)
    return sorted(found, key=lambda e: (e.item["task"], e.item["item_id"], e.number))


def words_of(
    steps: pl.DataFrame, tokens: pl.DataFrame, covered: dict[str, np.ndarray]
) -> list[dict[str, Any]]:
    """Return the logit lens of each block.

    Result: in model order, ``address``, ``word`` (at the answer position), ``p_right``, ``rank``,
    ``predicted``, and ``inside``: the words of each region's tokens with their counts, most
    frequent first.
    """
    by_address = dict(tokens.select("address", "words").rows())
    found = []
    for row in sorted(steps.to_dicts(), key=lambda r: sort_key(r["address"])):
        own = by_address.get(row["address"], [])
        inside = {name: common(own, weights) for name, weights in covered.items()}
        kept = {k: row[k] for k in ("address", "word", "rank", "predicted")}
        found.append(kept | {"p_right": share(row["p_right"]), "inside": inside})
    return found


def common(words: Sequence[str], weights: np.ndarray, most: int = 3) -> list[tuple[str, int]]:
    """Return the most frequent words of the tokens that a region covers, with their counts.

    A token counts if at least half of it is covered, or if no token is covered more.
    """
    if not len(words) or not weights.any():
        return []
    least = min(0.5, float(weights.max()))
    inside = np.flatnonzero(weights >= least - 1e-9).tolist()
    return Counter(words[n] for n in inside if n < len(words)).most_common(most)


def letters(item: dict[str, Any]) -> dict[str, str]:
    """Return the choice for each letter, if the item defines letters."""
    found: dict[str, str] = json.loads(item["meta"] or "{}").get("letters") or {}
    return found


def check_summary(path: Path, rows: pl.DataFrame) -> None:
    """Reject a row whose model or dataset differs from the path, or without n and interval.

    Raise a UserError that names file, metric, task and address.
    """
    check_pair(path, rows.select("model", "dataset").unique().iter_rows())
    alone = pl.col("ci_low").is_null() | (pl.col("n") < 1)
    bare = rows.filter(pl.col("value").is_not_null() & alone)
    if len(bare):
        row = bare.row(0, named=True)
        raise UserError(
            f"{path}: {row['metric']} of {row['task']} at {row['address']} has a value without "
            "n and interval"
        )
