"""Compute principal components of concept vectors, and nearest concepts in the first n.

Nearest neighbours are implemented here because they are found for every n in one pass, with ties
between cosines broken by distance; scikit-learn's classifiers do neither.

Axes: m targets, n_c concept vectors, k concepts, d width, r components. All results over n come
from one pass, in which dot products and lengths grow by one component at a time.

If two cosines are equal (with one component, all cosines of the same sign are), the smaller
distance breaks the tie.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

TIE = 1e-9  # cosines that differ by less are equal


@dataclass(frozen=True)
class Components:
    """Principal components of the concept vectors."""

    mean: np.ndarray  # shape (d,)
    # shape (r, d); unit vectors in order of decreasing variance; each axis's largest entry is
    # positive
    axes: np.ndarray
    explained: np.ndarray  # shape (r,); each one's share of the variance

    def project(self, vectors: np.ndarray) -> np.ndarray:
        """Return the coordinates (m, r) of vectors (m, d)."""
        found: np.ndarray = (vectors - self.mean) @ self.axes.T
        return found


def fit(concepts: np.ndarray, most: int) -> Components:
    """Return principal components fitted only on concept vectors.

    Source: scikit-learn's PCA with ``svd_solver="full"``. Signs are fixed by each axis's largest
    entry, and directions that are only rounding are left out.

    Parameters
    ----------
    concepts : ndarray, shape (n_c, d)
    most : maximum number of components; also limited by ``min(d, n_c - 1)`` and by the number of
        directions in which vectors differ by more than rounding
    """
    from sklearn.decomposition import PCA  # noqa: PLC0415 - slow to import

    x = concepts.astype(np.float64)
    with np.errstate(invalid="ignore"):  # equal vectors have no variance
        pca = PCA(svd_solver="full").fit(x)
    s, axes = pca.singular_values_, pca.components_
    scale = max(float(np.abs(x).max()), float(s[0])) * max(x.shape) * np.finfo(np.float64).eps
    r = min(most, len(x) - 1, int((s > scale).sum()))
    chosen = axes[:r]
    largest = np.abs(chosen).argmax(axis=1) if r else np.zeros(0, int)
    signs = np.sign(chosen[np.arange(r), largest])
    return Components(pca.mean_, chosen * signs[:, None], pca.explained_variance_ratio_[:r])


def centroids(vectors: np.ndarray, labels: np.ndarray, k: int) -> np.ndarray:
    """Return the mean vector of each of ``k`` concepts, (k, d)."""
    member = np.zeros((k, len(labels)))
    member[labels, np.arange(len(labels))] = 1
    found: np.ndarray = member @ vectors / member.sum(axis=1, keepdims=True)
    return found


def keys(dots: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return keys that sort references by cosine, then by distance; larger is nearer.

    Parameters
    ----------
    dots : ndarray, shape (..., references)
    first, second : squared lengths of targets and of references, broadcast against ``dots``
    """
    distance = np.maximum(first - 2 * dots + second, 0)
    farthest = distance.max()
    found: np.ndarray = cosines(dots, first, second)
    return found - TIE * (distance / farthest if farthest > 0 else distance)


def cosines(dots: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return cosines from dot products and squared lengths; 0 for a zero vector."""
    lengths = np.sqrt(np.maximum(first, 0)) * np.sqrt(np.maximum(second, 0))
    return np.divide(dots, lengths, out=np.zeros_like(dots), where=lengths > 0)


def growing(
    targets: np.ndarray, references: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield dot products (m, c) of targets and references, and squared lengths (m, 1) and (c,).

    There is one yield for each n = 1 … r, and the arrays are changed in place from one n to the
    next.
    """
    dots = np.zeros((len(targets), len(references)))
    first, second = np.zeros((len(targets), 1)), np.zeros(len(references))
    for t, c in zip(targets.T, references.T, strict=True):
        dots += np.outer(t, c)
        first += np.square(t)[:, None]
        second += np.square(c)
        yield dots, first, second


def whole(targets: np.ndarray, references: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the results of :func:`growing` for raw vectors, (m, d) and (c, d)."""
    one, two = targets.astype(np.float64), references.astype(np.float64)
    return one @ two.T, np.square(one).sum(1)[:, None], np.square(two).sum(1)


def nearest_centroid(targets: np.ndarray, centres: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the concepts (m,) whose centroids have the largest cosine, for n = 1 … r."""
    for found in growing(targets, centres):
        yield keys(*found).argmax(axis=1)


def votes(
    found: tuple[np.ndarray, ...], labels: np.ndarray, k: int, neighbours: int, power: float
) -> np.ndarray:
    """Return the concepts (m,) that the nearest neighbours vote for.

    Parameters
    ----------
    found : dot products (m, n_c), squared lengths (m, 1) and (n_c,)
    labels : int, shape (n_c,)
    k : the number of concepts
    power : a vote's weight is its cosine to this power; a negative cosine has weight 0 unless the
        power is 0. If concepts have equal votes, the nearest neighbour's concept is chosen
    """
    order = keys(*found)
    last = order.shape[1] - min(neighbours, order.shape[1])
    near = (
        np.argpartition(order, last, axis=1)[:, last:] if last else _all(order)
    )  # (m, neighbours)
    rows = np.arange(len(order))[:, None]
    weight = np.maximum(cosines(*found)[rows, near], 0) ** power
    sums = np.zeros((len(order), k))
    best = np.full((len(order), k), -np.inf)
    np.add.at(sums, (rows, labels[near]), weight)
    np.maximum.at(best, (rows, labels[near]), order[rows, near])
    leading = sums >= sums.max(axis=1, keepdims=True) - TIE
    winner: np.ndarray = np.where(leading, best, -np.inf).argmax(axis=1)
    return winner


def _all(order: np.ndarray) -> np.ndarray:
    return np.broadcast_to(np.arange(order.shape[1]), order.shape)
