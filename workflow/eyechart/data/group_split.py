"""The derived split: every group is entirely train or entirely test."""

from eyechart.core.randomness import seed_for


def group_split(group: str, dataset: str, seed: int, test_share: float) -> str:
    """Return ``train`` or ``test`` for a group, based on its name alone.

    Other groups, splits and row order do not matter, so adding data never moves a group. The share
    of test groups is ``test_share`` up to binomial noise.
    """
    draw = seed_for("group_split", dataset, seed, group) / 2**63  # uniform in [0, 1)
    return "test" if draw < test_share else "train"
