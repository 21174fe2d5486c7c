"""Intervals of metrics that are functions of sums over units.

Groups are resampled as units, since items of one group are not independent.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from scipy.sparse import csr_array, issparse

from eyechart.statistics.bootstrap import ENDS, GroupBootstrap

Sums: TypeAlias = np.ndarray | csr_array  # sparse when there are many texts
Of = Callable[[np.ndarray], np.ndarray]

CELLS = 1 << 22  # resampled sums in memory at a time: 32 MiB
NARROW = 64  # a dense product is faster up to this many columns


@dataclass(frozen=True)
class Measure:
    """A metric before summation: the contribution of each unit (an item or a pair).

    Attributes
    ----------
    metric : str
    unit : int, shape (u,)
        The item that defines the unit's group and task, as an index into ``Asked.ids``.
    sums : array, shape (u, s)
        The contribution of each unit. The value is ``of`` applied to the sums over units.
    of : callable
        Maps sums, (m, s), to values, (m,).
    chance : array, shape (u, s), or None
        The expected contribution of each unit for a model that draws its answers uniformly from the
        choices, independently in each order and condition. None if this has no meaning.
    norm : bool
        Whether the value is a norm of the shares, which are the other sums divided by the last.
    against : str or None
        The condition that this one is compared with.
    """

    metric: str
    unit: np.ndarray
    sums: Sums
    of: Of
    chance: Sums | None = None
    norm: bool = False
    against: str | None = None


def per_unit(values: np.ndarray) -> np.ndarray:
    """Return the sums, shape (u, 2), for which :func:`mean` gives the mean of ``values`` (u,)."""
    return np.stack([values, np.ones(len(values))], axis=1)


def mean(sums: np.ndarray) -> np.ndarray:
    """Return the first column divided by the second, (m,)."""
    found: np.ndarray = sums[:, 0] / sums[:, 1]
    return found


def total_variation(sums: np.ndarray) -> np.ndarray:
    """Return half the sum of other columns' absolute values, divided by the last column, (m,)."""
    found: np.ndarray = np.abs(sums[:, :-1]).sum(1) / 2 / sums[:, -1]
    return found


def largest(sums: np.ndarray) -> np.ndarray:
    """Return the largest absolute value of all columns, divided by the last column, (m,)."""
    found: np.ndarray = np.abs(sums[:, :-1]).max(1) / sums[:, -1]
    return found


class Resampled(GroupBootstrap):
    """Intervals of metrics that are functions of sums over units (items, or pairs of items)."""

    def interval(
        self, sums: Sums, unit: np.ndarray, of: Of, norm: bool
    ) -> tuple[float, float] | tuple[None, None]:
        """Return a 95% interval; null if no draw contains any unit.

        Parameters
        ----------
        sums : array, shape (u, s)
        unit : int, shape (u,)
            Indices into the ``groups`` given to the constructor.
        of : callable
        norm : bool
            See :class:`Measure`.

        Notes
        -----
        A mean gets the percentile interval. A norm gets its value plus and minus the 95% quantile
        of the norm of (resample - sample). By the triangle inequality, this interval covers at
        least 95% of the time, even if the two distributions are equal. In that case the percentile
        interval never covers, since every resample is further from equality than the sample. A
        lower end above 0 therefore rejects equal distributions at the 5% level.
        """
        by_group = csr_array(
            (np.ones(len(unit)), (self.code[unit], np.arange(len(unit)))), shape=(self.g, len(unit))
        )
        group_sums = by_group @ sums
        if issparse(group_sums) and group_sums.shape[1] <= NARROW:
            group_sums = group_sums.toarray()
        total = np.asarray(sums.sum(0))
        rows = max(1, CELLS // sums.shape[1])
        drawn = []
        for start in range(0, len(self.counts), rows):
            found = self.counts[start : start + rows] @ group_sums  # (draws, s)
            if norm:
                weight = found[:, -1].copy()
                found -= weight[:, None] / total[-1] * total
                found[:, -1] = weight
            with np.errstate(invalid="ignore"):  # a draw may miss every unit: 0 / 0
                drawn.append(of(found))
        values = np.concatenate(drawn)
        values = values[np.isfinite(values)]
        if not len(values):
            return None, None
        if not norm:
            low, high = np.quantile(values, ENDS)
            return float(low), float(high)
        value, reach = float(of(total[None])[0]), float(np.quantile(values, 0.95))
        return max(0.0, value - reach), min(1.0, value + reach)
