"""Minimum numbers of items for probes and verdicts. Snakemake imports this module at parse time."""

from math import ceil
from statistics import NormalDist

FEWEST_TESTED = 5  # groups of a test set; with fewer, no permutation p can be small
ABSENT = 0.05  # level of the one-sided test that a stage is less than the margin above its floor


def fewest_items(floor: float, margin: float) -> int:
    """Return the fewest items on which a stage at its floor can be shown to lack a skill.

    With fewer items, no stage can be shown to lack a skill, so the class cannot be `not_encoded`,
    and no difference can be shown to be smaller than the margin.

    >>> fewest_items(0.5, 0.1), fewest_items(0.25, 0.1)
    (68, 51)
    """
    return ceil((NormalDist().inv_cdf(1 - ABSENT) / margin) ** 2 * floor * (1 - floor))
