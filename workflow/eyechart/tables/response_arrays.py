"""The answered items and a model's responses as checked arrays.

Axes: n items, r rows (one per order of an item's choices), c choices.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from eyechart.core.errors import UserError
from eyechart.tables.choice_scoring import MEAN, OF_TEXT, PMI, SUM, choose, score


@dataclass(frozen=True)
class AnsweredItems:
    """The items that were answered, the same under every condition."""

    # ids, group, task: str, shape (n,); sorted by id; open questions included
    ids: np.ndarray
    group: np.ndarray
    task: np.ndarray
    c: np.ndarray  # int, shape (n,); number of choices; 0 for an open question
    # int, shape (n,); index of the right choice; -1 if unknown or if the question is open
    truth: np.ndarray
    # int, shape (n,); index of the item's pair; -1 if it has none, or if the pair cannot be scored
    # because one of its items is missing or has no answer
    pair: np.ndarray
    vocabulary: list[str]  # the distinct choice texts, sorted
    first: np.ndarray  # int, shape (n,)
    words: np.ndarray  # choice k of item i is ``vocabulary[words[first[i] + k]]``
    # item, order: int, shape (r,); the item of each row and the rotation of its choices
    item: np.ndarray
    order: np.ndarray

    @cached_property
    def orders(self) -> np.ndarray:
        """Number of orders of each item, (n,)."""
        return np.bincount(self.item, minlength=len(self.ids))

    def average(self, values: np.ndarray) -> np.ndarray:
        """Return the mean of ``values`` (r,) over each item's orders, (n,); 0 for open items."""
        total = np.bincount(self.item, weights=values, minlength=len(self.ids))
        average: np.ndarray = total / np.maximum(self.orders, 1)
        return average

    def shares(self, choice: np.ndarray) -> csr_array:
        """Return the distribution of each item's chosen texts, shape (n, len(vocabulary)).

        ``choice`` (r,) is the chosen index per row; -1 adds nothing. Each row of the result sums to
        1.
        """
        given = choice >= 0
        item = self.item[given]
        word = self.words[self.first[item] + choice[given]]
        shape = (len(self.ids), len(self.vocabulary))
        return csr_array((1 / self.orders[item], (item, word)), shape=shape)

    def place_shares(self, choice: np.ndarray) -> csr_array:
        """Return the distribution of each item's chosen positions, shape (n, largest c)."""
        given = choice >= 0
        item = self.item[given]
        place = (choice[given] - self.order[given]) % self.c[item]
        shape = (len(self.ids), int(self.c.max(initial=1)))
        return csr_array((1 / self.orders[item], (item, place)), shape=shape)

    def uniform(self) -> csr_array:
        """Return :meth:`shares` for a model that draws its choices uniformly."""
        item = np.repeat(np.arange(len(self.ids)), self.c)
        shape = (len(self.ids), len(self.vocabulary))
        return csr_array((1 / self.c[item], (item, self.words)), shape=shape)

    def uniform_places(self) -> csr_array:
        """Return :meth:`place_shares` for a model that draws its choices uniformly."""
        item = np.repeat(np.arange(len(self.ids)), self.c)
        place = np.arange(len(item)) - self.first[item]
        shape = (len(self.ids), int(self.c.max(initial=1)))
        return csr_array((1 / self.c[item], (item, place)), shape=shape)


@dataclass(frozen=True)
class ConditionResponses:
    """A model's responses under one condition."""

    predicted: np.ndarray  # int, shape (r,); the choice with the highest score
    # dict of ndarray of int, shape (r,); the choice under each other scoring of the same texts that
    # the stored numbers allow
    scored_otherwise: dict[str, np.ndarray]
    # int, shape (r,); the choice stated by the text; -1 if it states none
    parsed: np.ndarray
    has_text: np.ndarray  # bool, shape (r,)
    # the text of each open item that has one, by index into ``AnsweredItems.ids``
    texts: dict[int, str]


def lay_out(
    items: pl.DataFrame, tables: dict[str, pl.DataFrame], paths: dict[str, Path]
) -> tuple[AnsweredItems, dict[str, ConditionResponses]]:
    """Return the answered items and the responses under each condition.

    Parameters
    ----------
    items : the dataset's items; those without responses only complete pairs
    tables : checked responses by condition, at least one row each, all for the same items
    paths : their files, for error messages
    """
    key = next(iter(tables.values())).select("item_id", "order")
    shown = items.join(key.select("item_id").unique(), on="item_id", how="semi").sort("item_id")
    shown = shown.with_row_index("row")
    options = (
        shown.select("row", "item_id", "choices")
        .filter(pl.col("choices").list.len() > 0)
        .explode("choices")
        .with_columns(place=pl.int_range(pl.len()).over("row").cast(pl.Int64))
    )
    vocabulary = options["choices"].unique().sort()
    code = dict(zip(vocabulary, range(len(vocabulary)), strict=True))
    c = shown["choices"].list.len().to_numpy().astype(int)
    answer = _places(shown.select("item_id", "answer"), options, "answer").to_numpy()
    rows = key.join(shown.select("item_id", "row", "choices"), on="item_id", how="left")
    closed = rows["choices"].list.len() > 0
    answered_items = AnsweredItems(
        ids=_strings(shown["item_id"]),
        group=_strings(shown["group"]),
        task=_strings(shown["task"]),
        c=c,
        truth=answer,
        pair=_pairs(items, shown, answer),
        vocabulary=vocabulary.to_list(),
        first=np.cumsum(c) - c,
        words=np.array([code[w] for w in options["choices"]], dtype=int),
        item=rows["row"].filter(closed).to_numpy().astype(int),
        order=rows["order"].filter(closed).to_numpy().astype(int),
    )
    responses = {
        condition: _condition_responses(table, options, closed, rows["row"], paths[condition])
        for condition, table in tables.items()
    }
    return answered_items, responses


def _condition_responses(
    table: pl.DataFrame, options: pl.DataFrame, closed: pl.Series, row: pl.Series, path: Path
) -> ConditionResponses:
    own = table.filter(closed)
    chosen = {}
    for column in ("predicted", "parsed"):
        place = _places(own.select("item_id", column), options, column)
        wrong = own.filter((place < 0) & own[column].is_not_null())
        if len(wrong):
            raise UserError(
                f"{path}: item {wrong['item_id'][0]!r}: {column} is {wrong[column][0]!r}, "
                f"which is not one of the item's choices"
            )
        chosen[column] = place.to_numpy()
    if (chosen["predicted"] < 0).any():
        item = own["item_id"].gather(int(np.argmin(chosen["predicted"])))[0]
        raise UserError(f"{path}: item {item!r}: predicted is null, expected one of its choices")
    open_rows = zip(row.filter(~closed), table["text"].filter(~closed), strict=True)
    return ConditionResponses(
        predicted=chosen["predicted"],
        scored_otherwise=_scored_otherwise(own),
        parsed=chosen["parsed"],
        has_text=own["text"].is_not_null().to_numpy(),
        texts={i: text for i, text in open_rows if text is not None},
    )


def _scored_otherwise(own: pl.DataFrame) -> dict[str, np.ndarray]:
    """Return the choices (r,) under the scorings that were not used."""
    decided = own["scoring"].unique().to_list()
    if not set(decided) <= set(OF_TEXT):
        return {}
    known = {SUM, MEAN} | ({PMI} if own["unconditional"].null_count() == 0 else set())
    return {
        name: np.array(rescore(own, name), dtype=int)
        for name in OF_TEXT
        if name in known and name not in decided
    }


def rescore(rows: pl.DataFrame, scoring: str) -> list[int]:
    """Return the index of the choice selected by a scoring, for responses with choices."""
    numbers = rows.select("log_probability", "tokens", "unconditional", "item_id", "order")
    return [choose(score(scoring, *row[:3]), *row[3:]) for row in numbers.iter_rows()]


def _places(rows: pl.DataFrame, options: pl.DataFrame, column: str) -> pl.Series:
    """Return the index of a column's text among the item's choices; -1 if it is not one of them."""
    found = rows.join(
        options,
        left_on=["item_id", column],
        right_on=["item_id", "choices"],
        how="left",
        maintain_order="left",
    )
    return found["place"].fill_null(-1)


def _pairs(items: pl.DataFrame, shown: pl.DataFrame, truth: np.ndarray) -> np.ndarray:
    """Return each item's pair as a number; -1 without a pair, or if it cannot be scored."""
    whole = items.filter(pl.col("pair").is_not_null()).group_by("pair").len("size")
    own = shown.select("pair", answered=pl.Series(truth >= 0))
    scored = (
        own.filter("answered", pl.col("pair").is_not_null())
        .group_by("pair")
        .len()
        .join(whole, on="pair")
        .filter(pl.col("len") == pl.col("size"))["pair"]
        .sort()
    )
    number = {pair: i for i, pair in enumerate(scored)}
    return np.array([number.get(pair, -1) for pair in own["pair"]], dtype=int)


def _strings(column: pl.Series) -> np.ndarray:
    return np.array(column.to_list(), dtype=str)
