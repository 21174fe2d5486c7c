"""Measure the separation of concepts by scatter and by leave-one-out nearest centroids.

Axes: n_c concept vectors, k concepts, r components, v labellings (the true one and permuted ones).
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from scipy.special import ndtri

from eyechart.concepts.space import centroids, growing, keys, whole

REACH = float(ndtri(0.975))  # standard deviations on either side that contain 95%


class Scatter(NamedTuple):
    """The ratio of between- to within-class scatter, with a 95% interval; NaN if within is 0."""

    ratio: np.ndarray
    low: np.ndarray
    high: np.ndarray


def scatter(coordinates: np.ndarray, labels: np.ndarray, k: int) -> Scatter:
    """Return the scatter ratio and its interval with the first n components, n = 1 … r, each (r,).

    Parameters
    ----------
    coordinates : ndarray, shape (n_c, r)
    labels : int, shape (n_c,)

    Notes
    -----
    Between-class scatter is the squared distances of centroids from the overall mean, each weighted
    by its number of members; within-class scatter is the squared distances of members from their
    centroid. The interval is a jackknife interval (one image left out at a time) of the ratio's
    logarithm. Bootstrap resamples contain copies without scatter between them, so with few images
    per concept a bootstrap interval would miss its own estimate.
    """
    total = np.square(coordinates - coordinates.mean(0))
    inner = np.square(coordinates - centroids(coordinates, labels, k)[labels])
    return _jackknife(np.cumsum(total, axis=1), np.cumsum(inner, axis=1), labels)


def whole_scatter(vectors: np.ndarray, labels: np.ndarray, k: int) -> Scatter:
    """Return the :func:`scatter` of full vectors (n_c, d), as arrays of length one."""
    x = vectors.astype(np.float64)
    total = np.square(x - x.mean(0)).sum(1, keepdims=True)
    inner = np.square(x - centroids(x, labels, k)[labels]).sum(1, keepdims=True)
    return _jackknife(total, inner, labels)


def _jackknife(total: np.ndarray, inner: np.ndarray, labels: np.ndarray) -> Scatter:
    """Return ratios and intervals from squared distances (n_c, r) to the mean and own centroid."""
    n, size = len(labels), np.bincount(labels)[labels][:, None]
    within, all_of = inner.sum(0), total.sum(0)
    ratio = _ratio(all_of - within, within)
    left_within = within - inner * size / (size - 1)
    left_between = all_of - total * n / (n - 1) - left_within
    logs = np.log(_ratio(left_between, left_within))
    error = np.sqrt((n - 1) / n * np.square(logs - logs.mean(0)).sum(0))
    return Scatter(ratio, ratio * np.exp(-REACH * error), ratio * np.exp(REACH * error))


def _ratio(between: np.ndarray, within: np.ndarray) -> np.ndarray:
    some = (within > 64 * np.finfo(float).eps * between) & (between > 0)  # more than rounding
    return np.divide(between, within, out=np.full_like(within, np.nan), where=some)


def permuted(labels: np.ndarray, permutations: int, rng: Generator) -> np.ndarray:
    """Return the true labelling and the permuted ones, int (1 + permutations, n_c)."""
    drawn = np.tile(labels, (permutations, 1))
    return np.concatenate([labels[None], rng.permuted(drawn, axis=1)])


def left_out(coordinates: np.ndarray, labellings: np.ndarray, k: int) -> Iterator[np.ndarray]:
    """Yield whether each image is nearest to its own concept, bool (v, n_c), for n = 1 … r.

    The centroid of an image's own concept excludes the image. The components were fitted on all
    images, without labels.

    Parameters
    ----------
    coordinates : ndarray, shape (n_c, r)
    labellings : int, shape (v, n_c); every concept has at least two images
    """
    v, n = labellings.shape
    member = labellings[:, None, :] == np.arange(k)[:, None]  # (v, k, n_c)
    sums = (member.reshape(v * k, n) @ coordinates).reshape(v * k, -1)  # (v k, r)
    sizes = member.sum(axis=2).astype(float)  # (v, k)
    for dots, own, lengths in growing(coordinates, sums):
        found = dots.reshape(n, v, k).transpose(1, 0, 2)
        yield _right(found, own, lengths.reshape(v, k), sizes, labellings)


def left_out_whole(vectors: np.ndarray, labellings: np.ndarray, k: int) -> np.ndarray:
    """Return the result of :func:`left_out` for full vectors (n_c, d): bool (v, n_c)."""
    v, n = labellings.shape
    member = labellings[:, None, :] == np.arange(k)[:, None]
    sums = member.reshape(v * k, n) @ vectors.astype(np.float64)  # (v k, d)
    dots, own, lengths = whole(vectors, sums)
    sizes = member.sum(axis=2).astype(float)
    found = dots.reshape(n, v, k).transpose(1, 0, 2)
    return _right(found, own, lengths.reshape(v, k), sizes, labellings)


def _right(
    dots: np.ndarray, own: np.ndarray, lengths: np.ndarray, sizes: np.ndarray, labels: np.ndarray
) -> np.ndarray:
    """Return whether each image is nearest to its own concept's centroid, which excludes it.

    ``dots`` (v, n_c, k) are products of images with sums; ``own`` (n_c, 1) and ``lengths`` (v, k)
    are squared lengths.
    """
    mine = labels[:, :, None] == np.arange(dots.shape[2])  # (v, n_c, k)
    size = sizes[:, None, :] - mine
    inner = (dots - mine * own) / size
    squared = (lengths[:, None, :] - mine * (2 * dots - own)) / np.square(size)
    order = keys(inner, own, np.maximum(squared, 0))
    found: np.ndarray = order.argmax(axis=2) == labels
    return found
