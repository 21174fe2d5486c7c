"""How many items probes and verdicts take at least; Snakemake imports it at parse time."""

from math import ceil
from statistics import NormalDist

FEWEST_TESTED = 5  # groups of a test part; with fewer no permutation of their labels is rare
ABSENT = 0.05  # level of the one-sided test that a stage is less than the margin above its floor


def fewest_items(floor: float, margin: float) -> int:
    """Return the fewest items on which a stage exactly at its floor is shown to lack something.

    With fewer, no stage lacks anything, so `not_encoded` cannot be the class; and no
    difference is shown to be smaller than the margin.

    >>> fewest_items(0.5, 0.1), fewest_items(0.25, 0.1)
    (68, 51)
    """
    return ceil((NormalDist().inv_cdf(1 - ABSENT) / margin) ** 2 * floor * (1 - floor))
