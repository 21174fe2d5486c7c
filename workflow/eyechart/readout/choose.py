"""A readout's choice: the highest score, with ties broken by a seeded draw."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Protocol, cast

import numpy as np

from eyechart.core.randomness import dice
from eyechart.readout.items import ReadoutItem
from eyechart.readout.registry import READOUTS
from eyechart.readout.token_plans import Pool, RegionTokens
from eyechart.tables.regions import REF

TIE = 1e-12  # relative to the scale of scores; smaller differences may be rounding
Weighted = tuple[np.ndarray, np.ndarray]  # tokens (m, d) and their weights (m,), which sum to 1


class Score(Protocol):
    """The function ``score`` of a readout's module; see :mod:`readout.registry`."""

    def __call__(
        self, reference: Weighted | None, choices: list[Weighted]
    ) -> tuple[np.ndarray, float]:
        """Return the choices' scores, (c,), and their scale."""


@dataclass(frozen=True)
class Prediction:
    """A readout's choice for an item at an address: the one with the highest of ``scores`` (c,)."""

    item: ReadoutItem
    address: str
    readout: str
    scores: np.ndarray
    chosen: str


def choose(
    item: ReadoutItem, at: tuple[str, str], scores: np.ndarray, scale: float, seed: tuple[str, int]
) -> Prediction:
    """Return the choice with the highest score.

    Ties are broken by a seeded draw instead of by order, so that uninformative features score at
    chance even if the first choice is right more often than others.

    Parameters
    ----------
    at : address and readout
    scores : ndarray, shape (c,)
    scale : magnitude of the numbers from which the scores were computed
    seed : the dataset and the configuration's seed
    """
    best = np.flatnonzero(scores >= scores.max() - TIE * scale)
    pick = best[0]
    if len(best) > 1:
        pick = dice("readout tie", *seed, *at, item.item_id, item.seen).choice(best.tolist())
    return Prediction(item, *at, scores, item.choices[pick])


def score_choices(
    readout: str, item: ReadoutItem, tokens: Mapping[str, Weighted]
) -> tuple[np.ndarray, float]:
    """Return one readout's scores of an item's choices, (c,), and their scale.

    Parameters
    ----------
    readout : a name in the registry
    tokens : mapping of str to tuple of ndarray; by region
    """
    choices = [tokens[letter] for letter in item.letters]
    return _score_of(readout)(tokens.get(REF), choices)


def take(shares: Mapping[str, RegionTokens], pool: Pool) -> dict[str, Weighted]:
    """Return the tokens of each region, and their weights."""
    return {name: (pool.take(share.tokens), share.weights) for name, share in shares.items()}


@cache
def _score_of(readout: str) -> Score:
    module = importlib.import_module(f"eyechart.readout.{READOUTS[readout].module}")
    return cast(Score, module.score)
