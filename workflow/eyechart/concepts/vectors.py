"""The concept images and word images of a dataset, and the rows of their vectors.

An image set contains every image once: without a prompt (scope image) or with one (scope item).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from eyechart.core.errors import UserError, nearest
from eyechart.tables.items import LABEL
from eyechart.tables.parquet import read_table

CUES = ("word", "font", "background")
CONCEPT = "concept"
FEWEST = 2  # images per concept, since one is left out of its own average


@dataclass(frozen=True)
class ImageSet:
    """A set with every image once; codes are indices into ``names``, the palette in order."""

    names: list[str]
    prompt: str  # empty for scope image
    # words, concepts: ``id`` (in the scope), ``image_id``, ``group``; then the names in ``word,
    # font, background`` or ``concept``
    words: pl.DataFrame
    concepts: pl.DataFrame
    # int, shape (3, m); codes of word, font and background of each word image
    cues: np.ndarray
    labels: np.ndarray  # int, shape (n_c,); codes of the concept images

    @property
    def k(self) -> int:
        """The number of concepts."""
        return len(self.names)

    def groups(self, kind: str) -> np.ndarray:
        """Return the groups of ``words`` or ``concepts``, str (m,) or (n_c,)."""
        return np.array(getattr(self, kind)["group"].to_list(), dtype=str)

    def rows(self, ids: list[str], source: Path) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows of word images and of concept images among a manifest's ids.

        Raise a UserError if the manifest lacks one of these images.
        """
        place = {name: row for row, name in enumerate(ids)}
        found = []
        for table in (self.words, self.concepts):
            missing = next((name for name in table["id"] if name not in place), None)
            if missing is not None:
                raise UserError(f"{source}: no row of {missing!r}; extract it again")
            found.append(np.array([place[name] for name in table["id"]], dtype=int))
        return found[0], found[1]


def read_banks(items: Path, images: Path) -> dict[str, list[ImageSet]]:
    """Load the image sets of each scope: one for scope image, one per prompt for scope item.

    Raise a UserError if the tables are not of the layout ``stroop``: no choices or several lists of
    them, a label that is not a choice, fewer than two images of a colour, or no word image with
    three different colours.
    """
    items_table = pl.DataFrame(read_table(items, ["item_id", "images", "prompt", "choices"]))
    labels = [LABEL + name for name in (*CUES, CONCEPT)]
    images_table = pl.DataFrame(read_table(images, ["image_id", "group", *labels]))
    images_table = images_table.rename({name: name.removeprefix(LABEL) for name in labels}).sort(
        "image_id"
    )
    names = _names(items_table, items)
    _check(images_table, names, images)
    found = {"image": [_bank(images_table.with_columns(id="image_id"), names, "")], "item": []}
    shown_items = items_table.with_columns(image_id=pl.col("images").list.first(), id="item_id")
    shown_items = shown_items.select("id", "image_id", "prompt").join(
        images_table, on="image_id", how="inner"
    )
    for prompt in shown_items["prompt"].unique().sort():
        own = shown_items.filter(pl.col("prompt") == prompt).sort("image_id")
        if len(own) != len(images_table) or own["image_id"].is_duplicated().any():
            raise UserError(
                f"{items}: the prompt {prompt!r} is asked about {own['image_id'].n_unique()} of "
                f"{len(images_table)} images in {len(own)} items, expected each once"
            )
        found["item"].append(_bank(own, names, prompt))
    return found


def _names(items_table: pl.DataFrame, path: Path) -> list[str]:
    lists = items_table["choices"].unique(maintain_order=True).to_list()
    if len(lists) != 1 or not lists[0]:
        raise UserError(f"{path}: {len(lists)} lists of choices, expected one palette for all")
    return [str(name) for name in lists[0]]


def _check(images_table: pl.DataFrame, names: list[str], path: Path) -> None:
    for column in (*CUES, CONCEPT):
        unknown = images_table.filter(~pl.col(column).is_in(names))  # null stays out
        if len(unknown):
            image, name = unknown.select("image_id", column).row(0)
            raise UserError(f"{path}: {image!r}: {column} is {name!r}; {nearest(name, names)}")
    counts = dict(images_table[CONCEPT].drop_nulls().value_counts().iter_rows())
    for name in names:
        if counts.get(name, 0) < FEWEST:
            raise UserError(
                f"{path}: {counts.get(name, 0)} concept images of {name!r}, expected at least "
                f"{FEWEST}"
            )
    distinct = (pl.col("word") != pl.col("font")) & (pl.col("font") != pl.col("background"))
    if not len(images_table.filter(distinct, pl.col("word") != pl.col("background"))):
        raise UserError(f"{path}: no word image whose word, font and background all differ")


def _bank(images_table: pl.DataFrame, names: list[str], prompt: str) -> ImageSet:
    code = {name: number for number, name in enumerate(names)}
    words = images_table.filter(pl.col("word").is_not_null()).select(
        "id", "image_id", "group", *CUES
    )
    concepts = images_table.filter(pl.col(CONCEPT).is_not_null())
    return ImageSet(
        names=names,
        prompt=prompt,
        words=words,
        concepts=concepts.select("id", "image_id", "group", CONCEPT),
        cues=np.array([[code[name] for name in words[cue]] for cue in CUES], dtype=int),
        labels=np.array([code[name] for name in concepts[CONCEPT]], dtype=int),
    )
