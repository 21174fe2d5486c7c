"""POPE's questions: choose the present and absent categories to ask about in an image.

Source: Li et al., "Evaluating Object Hallucination in Large Vision-Language Models" (EMNLP 2023):
negatives at random, by frequency, and by co-occurrence with the image's categories.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from random import Random

import numpy as np


@dataclass(frozen=True)
class Statistics:
    """Number of images in which two categories co-occur; the diagonal counts each category.

    Attributes
    ----------
    together : int64 array of shape (k, k)
        Counts of images.
    """

    together: np.ndarray

    @property
    def frequency(self) -> np.ndarray:
        """Number of images in which each category occurs, int64 of shape (k,)."""
        return self.together.diagonal()


def count(images: Iterable[Collection[int]], k: int) -> Statistics:
    """Count co-occurrences over images, each given as its categories (0 to k - 1)."""
    listed = [sorted(present) for present in images]
    occurs = np.zeros((len(listed), k), np.float32)  # (n, k); exact: counts stay below 2^24
    for row, present in zip(occurs, listed, strict=True):
        row[present] = 1
    return Statistics((occurs.T @ occurs).astype(np.int64))


def draw(
    present: Collection[int], most: int, statistics: Statistics, dice: Random
) -> tuple[list[int], dict[str, list[int]]]:
    """Draw the categories that one image is asked about.

    Parameters
    ----------
    present : collection of int
        Categories present in the image.
    most : int
        Maximum number of questions per answer and sampling; fewer if the image has, or lacks,
        fewer categories.
    statistics : Statistics
        Counts over all images of the split.
    dice : Random
        Random generator of this image.

    Returns
    -------
    tuple
        Present categories, and per sampling equally many absent ones: ``random`` drawn uniformly,
        ``popular`` the most frequent, ``adversarial`` those that co-occur most often with the
        image's categories. Ties are broken in favour of the first category.
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
