"""POPE's questions: which categories a picture is asked for that it has, and that it has not.

Source: Li et al., "Evaluating Object Hallucination in Large Vision-Language Models" (EMNLP 2023):
negatives at random, by popularity, and by how often they occur beside what is in the picture.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from random import Random

import numpy as np


@dataclass(frozen=True)
class Statistics:
    """In how many pictures two categories occur together; on the diagonal, each alone.

    Attributes
    ----------
    together : int64 array of shape (k, k)
        Counts of pictures.
    """

    together: np.ndarray

    @property
    def frequency(self) -> np.ndarray:
        """In how many pictures each category occurs, int64 of shape (k,)."""
        return self.together.diagonal()


def count(pictures: Iterable[Collection[int]], k: int) -> Statistics:
    """Count over pictures, each given as the categories (from 0 to k - 1) that it has."""
    listed = [sorted(present) for present in pictures]
    occurs = np.zeros((len(listed), k), np.float32)  # (n, k); exact: counts stay below 2^24
    for row, present in zip(occurs, listed, strict=True):
        row[present] = 1
    return Statistics((occurs.T @ occurs).astype(np.int64))


def draw(
    present: Collection[int], most: int, statistics: Statistics, dice: Random
) -> tuple[list[int], dict[str, list[int]]]:
    """Draw what one picture is asked for.

    Parameters
    ----------
    present : collection of int
        Categories that the picture has.
    most : int
        Questions of each answer per sampling, at most: fewer where the picture has, or lacks,
        fewer categories.
    statistics : Statistics
        Of all pictures of the split.
    dice : Random
        The picture's own.

    Returns
    -------
    tuple
        Categories that are there, and per sampling equally many that are not: ``random`` drawn
        evenly, ``popular`` the most frequent, ``adversarial`` those that occur most often together
        with the picture's categories. Of equals the first category is taken.
    """
    has = sorted(present)
    absent = [c for c in range(len(statistics.together)) if c not in present]
    n = min(most, len(has), len(absent))
    beside = statistics.together[has].sum(axis=0)  # (k,)
    return dice.sample(has, n), {
        "random": dice.sample(absent, n),
        "popular": _top(absent, statistics.frequency, n),
        "adversarial": _top(absent, beside, n),
    }


def _top(categories: list[int], score: np.ndarray, n: int) -> list[int]:
    return sorted(categories, key=lambda c: (-int(score[c]), c))[:n]
