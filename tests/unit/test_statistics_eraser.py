"""Erasers: LEACE's guarantees on the fitted data, and agreement with the reference code."""

import numpy as np
import pytest
import torch

from eyechart.statistics.eraser import fit, fit_random

CLASSES, WIDTH, COUNT = 4, 12, 400


@pytest.fixture(scope="module")
def sample():
    """Return vectors with a concept in some directions, labels, and the vectors' covariance."""
    draw = np.random.default_rng(5)
    labels = draw.integers(CLASSES, size=COUNT)
    means, mixing = draw.normal(size=(CLASSES, WIDTH)), draw.normal(size=(WIDTH, WIDTH))
    x = (draw.normal(size=(COUNT, WIDTH)) + 2 * means[labels]) @ mixing
    return x, labels, np.cov(x.T, bias=True)


def between(x, labels):
    """Return the covariance of vectors with classes."""
    z = np.eye(CLASSES)[labels]
    return (x - x.mean(0)).T @ (z - z.mean(0)) / len(x)


def test_the_concept_is_removed_with_the_smallest_change(sample):
    x, labels, covariance = sample
    eraser = fit(x, labels, covariance)
    erased = eraser(x)
    assert np.abs(between(x, labels)).max() > 0.1
    np.testing.assert_allclose(between(erased, labels), 0, atol=1e-10)
    np.testing.assert_allclose(eraser(erased), erased, atol=1e-9)
    assert eraser.rank == CLASSES - 1
    removed = ((x - erased) ** 2).sum() / ((x - x.mean(0)) ** 2).sum()
    assert eraser.variance_removed(covariance) == pytest.approx(removed)


def test_the_eraser_equals_the_reference_implementation(sample):
    leace = pytest.importorskip("concept_erasure", reason="needs concept-erasure")
    x, labels, covariance = sample
    one_hot = torch.nn.functional.one_hot(torch.from_numpy(labels))
    options = {"method": "leace", "constrain_cov_trace": False, "shrinkage": False}
    fitter = leace.LeaceFitter.fit(torch.from_numpy(x), one_hot, **options)
    expected = fitter.eraser(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(fit(x, labels, covariance)(x), expected, rtol=0, atol=1e-8)


def test_a_random_eraser_removes_as_many_dimensions_and_leaves_the_classes(sample):
    x, labels, covariance = sample
    erasers = [
        fit_random(x.mean(0), covariance, CLASSES - 1, np.random.default_rng(seed))
        for seed in range(50)
    ]
    for eraser in erasers:
        assert eraser.rank == CLASSES - 1 == np.linalg.matrix_rank(eraser.matrix)
        np.testing.assert_allclose(eraser(eraser(x)), eraser(x), atol=1e-9)
    left = [np.abs(between(eraser(x), labels)).max() for eraser in erasers]
    assert min(left) > 0.1 * np.abs(between(x, labels)).max()
    assert not np.allclose(erasers[0].matrix, erasers[1].matrix)
    # white vectors lose the same share of every direction, on average
    white = [e.matrix for e in (fit_random(np.zeros(WIDTH), np.eye(WIDTH), 3, g) for g in draws())]
    np.testing.assert_allclose(np.mean(white, axis=0), np.eye(WIDTH) * 3 / WIDTH, atol=0.06)


def draws():
    return (np.random.default_rng(seed) for seed in range(400))


def test_vectors_without_a_difference_are_refused(sample):
    x, labels, covariance = sample
    with pytest.raises(ValueError, match="there is only one class"):
        fit(x, np.zeros(COUNT), covariance)
    with pytest.raises(ValueError, match="do not differ by class"):
        fit(np.zeros_like(x), labels, covariance)
