"""Convert items' traces to rows of the four tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from eyechart.attention.lens import LensPredictions, TokenPredictions
from eyechart.inference.chosen_items import Item
from eyechart.inference.marks import Mark
from eyechart.tables.attention import ANSWER, ATTENTION, LENS, MAPS, WHOLE, WORDS

Share = tuple[Mark, np.ndarray]  # a region, and its coverage of each image token, (t,)


@dataclass
class Tables:
    """The rows so far, as one Arrow table per item."""

    model: str
    dataset: str
    attention: list[pa.Table] = field(default_factory=list)
    lens: list[pa.Table] = field(default_factory=list)
    words: list[pa.Table] = field(default_factory=list)
    maps: list[pa.Table] = field(default_factory=list)

    def add_attention(
        self, item: Item, weights: dict[str, np.ndarray], image: np.ndarray, shares: Sequence[Share]
    ) -> None:
        """Add an item's rows for the complete image, then for each region, by block and head.

        Parameters
        ----------
        weights : by address, float32, shape (heads, t); attention from the answer position to the
            full prompt
        image : bool, shape (t,)
        shares : each region, with its coverage of the image tokens
        """
        for address, own in weights.items():
            on_image = own[:, image].astype(np.float64)  # (heads, image tokens)
            whole = on_image.sum(axis=1)
            share = float(image.mean())
            parts = [_rows(WHOLE, "image", False, whole, whole, share, whole / share)]
            for mark, covered in shares:
                mass, area = on_image @ covered, float(covered.sum() / image.sum())
                with np.errstate(invalid="ignore", divide="ignore"):
                    ratio = mass / whole / area
                name, role = mark.region.name, mark.role
                parts.append(_rows(name, role, mark.control, whole, mass, area, ratio))
            columns = {k: np.concatenate([part[k] for part in parts]) for k in parts[0]}
            self.attention.append(self._table(item, address, columns, ATTENTION))

    def add_maps(
        self,
        item: Item,
        weights: dict[str, np.ndarray],
        image: np.ndarray,
        places: Sequence[np.ndarray],
    ) -> None:
        """Add the attention to each image token, averaged over heads, by block and image."""
        ends = np.cumsum([len(p) for p in places])
        for address, own in weights.items():
            on_image = own[:, image].mean(axis=0)
            parts = np.split(on_image, ends[:-1])
            columns = {
                "image_id": list(item["images"]),
                "number": list(range(len(parts))),
                "attention": [part.tolist() for part in parts],
                "places": [place.tolist() for place in places],
            }
            self.maps.append(self._table(item, address, columns, MAPS))

    def add_lens(
        self, item: Item, addresses: Sequence[str], predictions: LensPredictions, top: list[str]
    ) -> None:
        """Add the logit lens at the answer position."""
        choices, right = item["choices"], item["choices"].index(item["answer"])
        predicted, first = predictions.predicted(), predictions.first_layer()
        for n, address in enumerate(addresses):
            logs = predictions.log_probability[n]
            columns = {
                "place": [ANSWER],
                "role": [ANSWER],
                "log_probability": [logs.tolist()],
                "p_right": [share_of(logs, right)],
                "predicted": [choices[predicted[n]]],
                "rank": [int(predictions.rank[n, right])],
                "word": [top[n]],
                "final": [choices[predicted[-1]]],
                "first_layer": [first],
            }
            self.lens.append(self._table(item, address, columns, LENS))

    def add_token_predictions(
        self, item: Item, addresses: Sequence[str], read: TokenPredictions, shares: Sequence[Share]
    ) -> None:
        """Add the logit lens at image tokens, averaged over the image and over each region."""
        choices, right = item["choices"], item["choices"].index(item["answer"])
        count = read.log_probability.shape[1]
        named = [("image", "image", np.ones(count))]
        named += [(m.region.name, m.role, covered) for m, covered in shares if not m.control]
        for n, address in enumerate(addresses):
            means = [w @ read.log_probability[n] / w.sum() for _, _, w in named]  # (c,) each
            columns: dict[str, Any] = {
                "place": [place for place, _, _ in named],
                "role": [role for _, role, _ in named],
                "log_probability": [mean.tolist() for mean in means],
                "p_right": [share_of(mean, right) for mean in means],
                "predicted": [choices[int(mean.argmax())] for mean in means],
            }
            columns |= dict.fromkeys(("rank", "word", "final", "first_layer"), [None] * len(named))
            self.lens.append(self._table(item, address, columns, LENS))

    def add_words(
        self, item: Item, addresses: Sequence[str], read: TokenPredictions, texts: dict[int, str]
    ) -> None:
        """Add the most likely words at each image token; ``texts`` maps token ids to text."""
        for n, address in enumerate(addresses):
            ids, values = read.top[n], read.top_log_probability[n]  # (t, k)
            columns = {
                "rank": list(range(1, ids.shape[1] + 1)),
                "words": [[texts[i] for i in column] for column in ids.T.tolist()],
                "log_probability": values.T.tolist(),
            }
            self.words.append(self._table(item, address, columns, WORDS))

    def whole(self, name: str, schema: pa.Schema) -> pa.Table:
        """Return all rows of one table."""
        parts = getattr(self, name)
        return pa.concat_tables(parts).combine_chunks() if parts else schema.empty_table()

    def _table(
        self, item: Item, address: str, columns: dict[str, Any], schema: pa.Schema
    ) -> pa.Table:
        count = len(next(iter(columns.values())))
        own = {name: item[name] for name in ("item_id", "task", "group")}
        fixed = {"model": self.model, "dataset": self.dataset, **own, "address": address}
        columns = {name: [value] * count for name, value in fixed.items()} | columns
        arrays = [pa.array(columns[f.name], f.type) for f in schema]
        return pa.Table.from_arrays(arrays, schema=schema)


def share_of(logs: np.ndarray, right: int) -> float:
    """Return the probability of one choice among all choices, from log-probabilities (c,)."""
    weights = np.exp(logs - logs.max())
    return float(weights[right] / weights.sum())


def _rows(
    region: str,
    role: str,
    control: bool,
    image_mass: np.ndarray,
    mass: np.ndarray,
    area: float,
    ratio: np.ndarray,
) -> dict[str, np.ndarray]:
    heads = len(mass)
    fixed = {"region": region, "role": role, "control": control, "area": np.float32(area)}
    columns = {name: np.full(heads, value) for name, value in fixed.items()}
    floats = {"image_mass": image_mass, "mass": mass, "ratio": ratio}
    columns |= {name: value.astype(np.float32) for name, value in floats.items()}
    return columns | {"head": np.arange(heads, dtype=np.int32)}
