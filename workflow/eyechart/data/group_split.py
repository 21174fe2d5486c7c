"""The derived split: every group goes whole to train or to test."""

from eyechart.core.randomness import seed_for


def group_split(group: str, dataset: str, seed: int, test_share: float) -> str:
    """Give ``train`` or ``test`` for a group, from its name alone.

    No other group, split or row order matters, so adding data never moves a group; the share of
    test groups is ``test_share`` up to binomial noise.
    """
    draw = seed_for("group_split", dataset, seed, group) / 2**63  # uniform in [0, 1)
    return "test" if draw < test_share else "train"
