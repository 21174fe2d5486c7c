"""Paired comparisons between the components of a model: where information is lost or gained."""

from itertools import combinations
from typing import Any

import polars as pl

from eyechart.core.address import COMPONENTS
from eyechart.statistics.testing import mcnemar_exact


def compare_components(
    predictions: pl.DataFrame, components: dict[str, dict[str, Any]]
) -> list[dict[str, Any]]:
    """Test each pair of components, each at its best point, on the same test items.

    Result: rows with ``first, second`` (the points), ``difference`` of their accuracies (second -
    first) on the items that both have, and of the seed with the largest p: ``n`` items,
    ``only_first, only_second`` (items that only one got right) and ``p``.

    Parameters
    ----------
    predictions : rows of kind ``task`` of ``eyechart.tables.probes.PREDICTIONS``
    components : the best point of each component
    """
    found = []
    for one, two in combinations([c for c in COMPONENTS if c in components], 2):
        first, second = (_right(predictions, components[c]) for c in (one, two))
        both = first.join(second, on=["seed", "id"], suffix="_second").sort("seed", "id")
        tests = [_test(part) for _, part in both.group_by("seed", maintain_order=True)]
        points = {"first": components[one], "second": components[two]}
        difference = both.select(pl.col("right_second").mean() - pl.col("right").mean()).item()
        found.append({**points, "difference": difference, **max(tests, key=lambda t: t["p"])})
    return found


def select(predictions: pl.DataFrame, point: dict[str, Any]) -> pl.DataFrame:
    """Return the predictions of one address, span and probe, of all seeds."""
    return predictions.filter(
        *(pl.col(name) == point[name] for name in ("address", "span", "probe"))
    )


def _right(predictions: pl.DataFrame, point: dict[str, Any]) -> pl.DataFrame:
    rows = select(predictions, point)
    return rows.select("seed", "id", right=pl.col("truth") == pl.col("prediction"))


def _test(both: pl.DataFrame) -> dict[str, Any]:
    first, second = (both[name].to_numpy() for name in ("right", "right_second"))
    return {
        "n": len(both),
        "only_first": int((first & ~second).sum()),
        "only_second": int((second & ~first).sum()),
        "p": mcnemar_exact(
            first, second, both["id"].to_numpy()
        ),  # one image, hence one group, each
    }
