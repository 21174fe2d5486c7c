"""Where the picture goes: the summary of a model on a dataset, and the items that are drawn."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from eyechart.attention.marked import coverage, roles_of
from eyechart.errors import UserError
from eyechart.report.format import share
from eyechart.report.places import natural, order
from eyechart.tables.attention import ANSWER, LENS, MAPS, SUMMARY, WORDS, read_noted
from eyechart.tables.parquet import read_table
from eyechart.tables.regions import CANVAS, Region, read_regions
from eyechart.tables.scores import ALL

ROLE_NAMES = {"reference": "REF", "right": "right choice", "wrong": "wrong choices"}
KINDS = {  # of notes, and what they are about
    "attention_reason": "No attention is shown",
    "attention_note": "Of attention",
    "lens_reason": "No logit lens is shown",
    "lens_note": "Of the logit lens",
}


@dataclass(frozen=True)
class Looking:
    """What is known of one model on one dataset: ``rows`` are those of the summary."""

    model: str
    dataset: str
    rows: pl.DataFrame
    notes: dict[str, str]

    def tasks(self) -> list[str]:
        """Give the tasks; that of all of them first."""
        return sorted(set(self.rows["task"]), key=lambda t: (t != ALL, natural(t)))

    def of(self, metric: str, *roles: str, heads: bool = False) -> list[dict[str, Any]]:
        """Give the rows of a metric in the order of the tasks, then of the model."""
        kept = self.rows.filter(pl.col("metric") == metric)
        kept = kept.filter(pl.col("head").is_not_null() == heads)
        found = [r for r in kept.to_dicts() if not roles or r["role"] in roles]
        tasks = self.tasks()
        return sorted(found, key=lambda r: (tasks.index(r["task"]), r["role"], order(r["address"])))

    def said(self) -> list[str]:
        """Give what could not be had, as sentences."""
        return [f"{words}: {self.notes[k]}." for k, words in KINDS.items() if self.notes.get(k)]


@dataclass(frozen=True)
class Shown:
    """One picture of an item to look at.

    Attributes
    ----------
    item : dict
        Its row of items.parquet.
    number : int
        Of the picture among the item's, from 0.
    image : path of the picture
    maps : by address, float32, shape (t,)
        Attention on each token of that picture, mean over heads.
    places : float32, shape (t, 7)
    regions : of that picture
    roles : by name of a region
    words : list of dict
        Per address what the blocks would say; see :func:`words_of`.
    """

    item: dict[str, Any]
    number: int
    image: Path
    maps: dict[str, np.ndarray]
    places: np.ndarray
    regions: list[Region]
    roles: dict[str, str]
    words: list[dict[str, Any]]


def read_looking(paths: Sequence[Path]) -> list[Looking]:
    """Read summaries; their paths name dataset and model (``<model>/<dataset>/summary.parquet``).

    Raises
    ------
    UserError
        If a row is of another model or dataset than its path says, or has a value without n and
        interval.
    """
    found = []
    for path in sorted(paths, key=lambda p: (p.parent.name, p.parent.parent.name)):
        table, notes = read_noted(path, SUMMARY)
        rows = pl.DataFrame(table)
        pair = path.parent.parent.name, path.parent.name
        for names in rows.select("model", "dataset").unique().rows():
            if names != pair:
                raise UserError(f"{path}: a row is of {' on '.join(names)}, not of its path")
        bare = rows.filter(
            pl.col("value").is_not_null() & (pl.col("ci_low").is_null() | (pl.col("n") < 1))
        )
        if len(bare):
            row = bare.to_dicts()[0]
            raise UserError(
                f"{path}: {row['metric']} of {row['task']} at {row['address']} has a value without "
                "n and interval"
            )
        found.append(Looking(*pair, rows, notes))
    return found


def read_shown(folder: Path, items: Path, images: Path, regions: Path | None) -> list[Shown]:
    """Read the pictures that have a map, sorted by task, item and place in it.

    Parameters
    ----------
    folder : Path
        Where ``maps.parquet``, ``lens.parquet`` and ``words.parquet`` stand.
    """
    maps, lens, words = (folder / f"{name}.parquet" for name in ("maps", "lens", "words"))
    drawn = pl.DataFrame(read_noted(maps, MAPS)[0]).sort("item_id", "number")
    said = pl.DataFrame(read_noted(lens, LENS)[0])
    tokens = pl.DataFrame(read_noted(words, WORDS)[0])
    asked = {row["item_id"]: row for row in read_table(items).to_pylist()}
    paths = dict(pl.DataFrame(read_table(images, ["image_id", "path"])).rows())
    marked = read_regions(regions, CANVAS) if regions else {}
    found = []
    before: Counter[str] = Counter()  # image tokens of the item's earlier pictures
    for (name, number), own in drawn.group_by("item_id", "number", maintain_order=True):
        if name not in asked:
            raise UserError(f"{items}: item {name!r} of {maps} is missing")
        item, image = asked[name], own["image_id"][0]
        there = [r for i, r in marked.get(str(name), {}).values() if i == image]
        places = np.array(own["places"][0].to_list(), dtype=np.float32).reshape(-1, 7)
        nothing = np.zeros(before[name])
        shown = Shown(
            item,
            int(number),
            Path(paths[image]),
            {row["address"]: np.array(row["attention"]) for row in own.to_dicts()},
            places,
            there,
            roles_of(item),
            words_of(
                said.filter((pl.col("item_id") == name) & (pl.col("place") == ANSWER)),
                tokens.filter((pl.col("item_id") == name) & (pl.col("rank") == 1)),
                {r.name: np.concatenate([nothing, coverage(places, r)]) for r in there},
            ),
        )
        before[name] += len(places)
        found.append(shown)
    return sorted(found, key=lambda s: (s.item["task"], s.item["item_id"], s.number))


def words_of(
    said: pl.DataFrame, tokens: pl.DataFrame, covered: dict[str, np.ndarray]
) -> list[dict[str, Any]]:
    """Give what each block would say.

    Returns
    -------
    list of dict, in the order of the model
        ``address``, ``word`` (at the answer position), ``p_right``, ``rank``, ``predicted``, and
        ``inside``: by name of a region the words of its tokens, commonest first, with how many.
    """
    by_address = dict(tokens.select("address", "words").rows())
    found = []
    for row in sorted(said.to_dicts(), key=lambda r: order(r["address"])):
        own = by_address.get(row["address"], [])
        inside = {name: common(own, weights) for name, weights in covered.items()}
        kept = {k: row[k] for k in ("address", "word", "rank", "predicted")}
        found.append(kept | {"p_right": share(row["p_right"]), "inside": inside})
    return found


def common(words: Sequence[str], weights: np.ndarray, most: int = 3) -> list[tuple[str, int]]:
    """Give the commonest words of the tokens that a region covers, with how many.

    A token counts that is covered by half, or as much as the one that is covered most.
    """
    if not len(words) or not weights.any():
        return []
    least = min(0.5, float(weights.max()))
    inside = np.flatnonzero(weights >= least - 1e-9).tolist()
    return Counter(words[n] for n in inside if n < len(words)).most_common(most)


def letters(item: dict[str, Any]) -> dict[str, str]:
    """Give the choice that each letter stands for, where the item says so."""
    found: dict[str, str] = json.loads(item["meta"] or "{}").get("letters") or {}
    return found
