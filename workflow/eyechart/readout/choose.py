"""The choice of a readout: the highest score, with ties broken by a seeded draw."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from eyechart.core.randomness import dice
from eyechart.readout.correspondence import mean_of, score_points
from eyechart.readout.depth.order import score_depth
from eyechart.readout.items import ReadoutItem
from eyechart.readout.odd_one_out import score_odd
from eyechart.readout.style import gram_scale, score_gram
from eyechart.readout.token_plans import Pool, RegionTokens
from eyechart.tables.readouts import ART, CORRESPONDENCE, ODD
from eyechart.tables.regions import REF

TIE = 1e-12  # relative to the scale of scores: differences that may be rounding


@dataclass(frozen=True)
class Prediction:
    """The choice of one readout at one address for one item; the highest of ``scores`` (c,)."""

    item: ReadoutItem
    address: str
    readout: str
    scores: np.ndarray
    chosen: str


def choose(
    item: ReadoutItem,
    at: tuple[str, str],
    scores: np.ndarray,
    scale: float,
    seed: tuple[str, int],
) -> Prediction:
    """Return the choice with the highest score.

    Ties are broken by a seeded draw and not by order, so that features without information score
    chance, even if the first choice is right more often than others.

    Parameters
    ----------
    reading : ReadoutItem
    at : tuple of str
        Address and readout.
    scores : ndarray, shape (c,)
    scale : float
        Of the numbers that the scores were computed from.
    seed : tuple of str and int
        The dataset and the configuration's seed.
    """
    best = np.flatnonzero(scores >= scores.max() - TIE * scale)
    pick = best[0]
    if len(best) > 1:
        pick = dice("readout tie", *seed, *at, item.item_id, item.seen).choice(best.tolist())
    return Prediction(item, *at, scores, item.choices[pick])


def score_choices(
    item: ReadoutItem, shares: Mapping[str, RegionTokens], pool: Pool
) -> tuple[np.ndarray, float]:
    """Return the scores of an item's choices, (c,), and their scale.

    The task determines the readout. For depth order the pool must hold depths, shape (t, 1).
    """
    task = item.task
    tokens = {name: (pool.take(share.tokens), share.weights) for name, share in shares.items()}
    choices = [tokens[letter] for letter in item.letters]
    if task in CORRESPONDENCE:
        vectors = np.stack([mean_of(*one) for one in choices])
        return score_points(mean_of(*tokens[REF]), vectors), 1.0
    if task == ART:
        return score_gram(tokens[REF], choices), gram_scale(tokens[REF], choices)
    if task == ODD:
        return score_odd(np.stack([mean_of(*one) for one in choices])), 1.0
    scores = score_depth([(depths[:, 0], weights) for depths, weights in choices])
    return scores, float(np.abs(scores).max())
