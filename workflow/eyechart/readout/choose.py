"""From the scores of an item's choices to a choice; who scores alike is chosen by lot."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from eyechart.core.randomness import dice
from eyechart.readout.correspondence import mean_of, score_points
from eyechart.readout.depth.order import score_depth
from eyechart.readout.items import ReadoutItem
from eyechart.readout.odd_one_out import score_odd
from eyechart.readout.style import score_gram, spread
from eyechart.readout.token_plans import Pool, Share
from eyechart.tables.readouts import ART, CORRESPONDENCE, ODD
from eyechart.tables.regions import REF

TIE = 1e-12  # of the scale of scores: what rounding alone may tell apart


@dataclass(frozen=True)
class Prediction:
    """What one readout at one address says of one reading; ``scores`` (c,), larger is chosen."""

    reading: ReadoutItem
    address: str
    readout: str
    scores: np.ndarray
    chosen: str


def predict(
    reading: ReadoutItem,
    at: tuple[str, str],
    scores: np.ndarray,
    scale: float,
    seed: tuple[str, int],
) -> Prediction:
    """Choose the highest score.

    Ties are broken by a seeded draw and not by order: features that say nothing must score chance,
    also where the first choice is right more often than others.

    Parameters
    ----------
    reading : ReadoutItem
    at : tuple of str
        Address and readout.
    scores : ndarray, shape (c,)
    scale : float
        Of the numbers that scores were computed from.
    seed : tuple of str and int
        The dataset and the configuration's seed.
    """
    best = np.flatnonzero(scores >= scores.max() - TIE * scale)
    pick = best[0]
    if len(best) > 1:
        pick = dice("readout tie", *seed, *at, reading.item_id, reading.seen).choice(best.tolist())
    return Prediction(reading, *at, scores, reading.choices[pick])


def score(
    reading: ReadoutItem, shares: Mapping[str, Share], pool: Pool
) -> tuple[np.ndarray, float]:
    """Return the scores of a reading's choices, (c,), and their scale.

    The task says how. For depth order the pool must hold depths, shape (t, 1).
    """
    task = reading.task
    tokens = {name: (pool.take(share.tokens), share.weights) for name, share in shares.items()}
    choices = [tokens[letter] for letter in reading.letters]
    if task in CORRESPONDENCE:
        vectors = np.stack([mean_of(*one) for one in choices])
        return score_points(mean_of(*tokens[REF]), vectors), 1.0
    if task == ART:
        return score_gram(tokens[REF], choices), spread(tokens[REF], choices)
    if task == ODD:
        return score_odd(np.stack([mean_of(*one) for one in choices])), 1.0
    scores = score_depth([(depths[:, 0], weights) for depths, weights in choices])
    return scores, float(np.abs(scores).max())
