"""Prefixes of principal components, nearest centroids and neighbours equal slower methods."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from eyechart.concepts import separation, space

K = 5


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(3)
    labels = np.repeat(np.arange(K), 6)
    concepts = rng.standard_normal((K, 40))[labels] + 0.8 * rng.standard_normal((30, 40)) + 2
    return rng.standard_normal((50, 40)) + 2, concepts, labels


@pytest.mark.parametrize("n", [1, 2, 7, 29])
def test_a_prefix_equals_scikit_learns_fit_with_that_many_components(data, n):
    words, concepts, _ = data
    basis = space.fit(concepts, 50)
    assert len(basis.axes) == 29  # one less than the number of concept vectors
    reference = PCA(n, svd_solver="full").fit(concepts)
    signs = np.sign((basis.axes[:n] * reference.components_).sum(axis=1))
    np.testing.assert_allclose(basis.axes[:n], signs[:, None] * reference.components_, atol=1e-9)
    np.testing.assert_allclose(basis.explained[:n], reference.explained_variance_ratio_)
    np.testing.assert_allclose(
        basis.project(words)[:, :n], signs * reference.transform(words), atol=1e-9
    )


@pytest.mark.parametrize(
    ("n", "d", "most", "expected"), [(9, 4, 50, 4), (9, 20, 3, 3), (9, 20, 50, 8)]
)
def test_there_are_never_more_components_than_the_vectors_have(n, d, most, expected):
    vectors = np.random.default_rng(1).standard_normal((n, d))
    assert len(space.fit(vectors, most).axes) == expected


def test_equal_vectors_have_no_component():
    basis = space.fit(np.full((6, 9), 0.3, np.float32), 50)
    assert basis.project(np.ones((4, 9))).shape == (4, 0)


def slow_key(target, reference, scale):
    lengths = np.linalg.norm(target) * np.linalg.norm(reference)
    return target @ reference / lengths, -((target - reference) ** 2).sum() / scale


def test_every_prefix_finds_the_same_centroid_as_a_loop(data):
    words, concepts, labels = data
    basis = space.fit(concepts, 50)
    targets, references = basis.project(words), basis.project(concepts)
    centres = space.centroids(references, labels, K)
    for n, found in enumerate(space.nearest_centroid(targets, centres), 1):
        for target, colour in zip(targets[:, :n], found, strict=True):
            cosines = [round(slow_key(target, c, 1)[0], 8) for c in centres[:, :n]]
            best = [c for c in range(K) if cosines[c] == max(cosines)]
            away = [((target - centres[c, :n]) ** 2).sum() for c in best]
            assert colour == best[int(np.argmin(away))]


@pytest.mark.parametrize(("neighbours", "power"), [(1, 1), (5, 1), (5, 0), (7, 3), (40, 1)])
def test_neighbours_vote_as_counted_by_a_loop(data, neighbours, power):
    words, concepts, labels = data
    basis = space.fit(concepts, 12)
    targets, references = basis.project(words), basis.project(concepts)
    for n, grown in enumerate(space.growing(targets, references), 1):
        found = space.votes(grown, labels, K, neighbours, power)
        for target, colour in zip(targets[:, :n], found, strict=True):
            order = [slow_key(target, c, 1e9) for c in references[:, :n]]
            order = [(round(cosine, 9), away) for cosine, away in order]
            near = sorted(range(30), key=lambda i: order[i], reverse=True)[:neighbours]
            sums = dict.fromkeys(range(K), 0.0)
            for i in near:
                sums[labels[i]] += max(order[i][0], 0) ** power
            best = [c for c in range(K) if sums[c] > max(sums.values()) - 1e-7]
            assert colour == next(labels[i] for i in near if labels[i] in best)


def test_raw_vectors_are_compared_unchanged():
    centres = np.array([[1.0, 0.0], [0.0, 1.0]])
    found = space.keys(*space.whole(np.array([[5.0, 4.0], [0.1, 0.2]]), centres))
    assert found.argmax(axis=1).tolist() == [0, 1]


def slow_scatter(x, labels):
    mean = x.mean(0)
    centres = {c: x[labels == c].mean(0) for c in set(labels)}
    between = sum(((centres[c] - mean) ** 2).sum() for c in labels)
    return between / sum(((v - centres[c]) ** 2).sum() for v, c in zip(x, labels, strict=True))


def test_scatter_and_jackknife_of_every_prefix_equal_a_loop(data):
    _, concepts, labels = data
    x = space.fit(concepts, 50).project(concepts)
    found = separation.scatter(x, labels, K)
    for n in (1, 3, 29):
        assert found.ratio[n - 1] == pytest.approx(slow_scatter(x[:, :n], labels))
        left = [
            np.log(slow_scatter(np.delete(x[:, :n], i, 0), np.delete(labels, i))) for i in range(30)
        ]
        error = np.sqrt(29 / 30 * np.square(np.array(left) - np.mean(left)).sum())
        assert np.log(found.high[n - 1] / found.ratio[n - 1]) == pytest.approx(1.959964 * error)
    whole = separation.whole_scatter(concepts, labels, K)
    assert whole.ratio[0] == pytest.approx(found.ratio[-1])
    assert whole.low[0] == pytest.approx(found.low[-1])


def test_leave_one_out_equals_a_loop_for_every_prefix_and_labelling(data):
    _, concepts, labels = data
    x = space.fit(concepts, 9).project(concepts)
    labellings = separation.permuted(labels, 2, np.random.default_rng(2))
    assert (np.sort(labellings) == labels).all()
    assert (labellings[1:] != labels).any(axis=1).all()
    by_n = list(separation.left_out(x, labellings, K))
    by_n.append(separation.left_out_whole(concepts, labellings, K))
    for n, right in [(2, by_n[1]), (9, by_n[8]), (None, by_n[9])]:
        vectors = concepts if n is None else x[:, :n]
        for row, own in zip(right, labellings, strict=True):
            for i in range(30):
                rest = np.arange(30) != i
                centres = [vectors[rest & (own == c)].mean(0) for c in range(K)]
                cosines = [slow_key(vectors[i], c, 1)[0] for c in centres]
                assert row[i] == (int(np.argmax(cosines)) == own[i])
