"""Find the cues that the model's own responses to the same images follow."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from eyechart.concepts.cues import Hits, Row, cue_rows, find_hits, pool
from eyechart.concepts.vectors import ImageSet
from eyechart.core.errors import UserError, nearest
from eyechart.core.randomness import generator
from eyechart.statistics.bootstrap import bootstrap_interval
from eyechart.tables.concepts import ALL, ANSWER, CONCEPT
from eyechart.tables.read_responses import read_predicted

SIGHTED = "sighted"


def read_sighted(path: Path, model: str, dataset: str) -> pl.DataFrame:
    """Load sighted responses (``item_id``, ``predicted``), one row per item and order.

    Raise a UserError if the table belongs to another model, dataset or condition.
    """
    expected = {"model": model, "dataset": dataset, "condition": SIGHTED}
    return read_predicted(path, expected).select("item_id", "predicted")


def answer_rows(
    answers: pl.DataFrame, banks: list[ImageSet], path: Path, draws: int, seeds: tuple[Any, ...]
) -> list[Row]:
    """Return the responses' rows: the shares of cues, and the accuracy on concept images.

    An item with several orders of its choices counts once, as the mean over orders. Items without
    responses are left out.
    """
    _check(answers, banks, path)
    hits, named, rows = [], [], []
    for bank in banks:
        found = _hits(answers, bank)
        right = _named(answers, bank)
        hits.append(found)
        named.append(right)
        rows += _rows(found, right, bank.prompt, bank.k, draws, seeds)
    if len(banks) > 1:
        right = np.concatenate([n[0] for n in named]), np.concatenate([n[1] for n in named])
        rows += _rows(pool(hits), right, ALL, banks[0].k, draws, seeds)
    return rows


def _rows(
    hits: Hits,
    named: tuple[np.ndarray, np.ndarray],
    prompt: str,
    k: int,
    draws: int,
    seeds: tuple[Any, ...],
) -> list[Row]:
    """Return the rows of one prompt, except for kinds of images without responses."""
    shared: Row = {"scope": "item", "address": ANSWER, "span": "", "prompt": prompt}
    shared |= {"method": ANSWER, "components": None}
    rng = generator("concepts answers", *seeds)
    rows = cue_rows(hits, [shared], k, draws, rng) if hits.shares.shape[2] else []
    right, groups = named
    if len(right):
        low, high = bootstrap_interval(right[None], groups, draws, rng)[0]
        row = {**shared, "cue": CONCEPT, "share": float(right.mean()), "chance": 1 / k}
        row |= {"ci_low": float(low), "ci_high": float(high)}
        rows.append(row | {"n": len(right), "groups": len(np.unique(groups))})
    return rows


def _hits(answers: pl.DataFrame, bank: ImageSet) -> Hits:
    """Return the cues that responses follow, averaged over the orders of each item."""
    place = {name: number for number, name in enumerate(bank.words["id"])}
    own = answers.filter(pl.col("item_id").is_in(list(place)))
    rows = np.array([place[name] for name in own["item_id"]], dtype=int)
    found = np.array([bank.names.index(name) for name in own["predicted"]], dtype=int)
    cues, groups = bank.cues[:, rows], bank.groups("words")[rows]
    hits = find_hits(found[None], cues, groups)
    word, font, background = cues
    distinct = (word != font) & (font != background) & (word != background)
    same = (word == font) & (font != background)
    shares, of_shares = _mean(hits.shares, rows[distinct])
    congruent, of_same = _mean(hits.congruent, rows[same])
    every = bank.groups("words")
    return Hits(shares, congruent, every[of_shares], every[of_same])


def _named(answers: pl.DataFrame, bank: ImageSet) -> tuple[np.ndarray, np.ndarray]:
    """Return how often each concept image is named correctly, and its group."""
    place = {name: number for number, name in enumerate(bank.concepts["id"])}
    own = answers.filter(pl.col("item_id").is_in(list(place)))
    rows = np.array([place[name] for name in own["item_id"]], dtype=int)
    found = np.array([bank.names.index(name) for name in own["predicted"]], dtype=int)
    right, of = _mean((found == bank.labels[rows]).astype(float)[None], rows)
    return right[0], bank.groups("concepts")[of]


def _mean(values: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Average the last axis over equal ``rows``; return the averages and the distinct rows."""
    distinct, code, counts = np.unique(rows, return_inverse=True, return_counts=True)
    member = np.zeros((len(rows), len(distinct)))
    member[np.arange(len(rows)), code] = 1
    return values @ member / counts, distinct


def _check(answers: pl.DataFrame, banks: list[ImageSet], path: Path) -> None:
    known = {
        name for bank in banks for table in (bank.words, bank.concepts) for name in table["id"]
    }
    names = banks[0].names
    for item, predicted in answers.iter_rows():
        if item not in known:
            raise UserError(f"{path}: item {item!r} is not among the dataset's items")
        if predicted not in names:
            raise UserError(
                f"{path}: item {item!r}: predicted is {predicted!r}; {nearest(predicted, names)}"
            )
