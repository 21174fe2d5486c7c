"""Probe tables, checked and merged over seeds."""

from dataclasses import dataclass, replace
from itertools import combinations, groupby
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from eyechart.core.address import COMPONENTS, OTHER_OBJECT, component, sort_key
from eyechart.core.errors import UserError
from eyechart.report.files import Inputs, check_pair
from eyechart.report.labels import natural
from eyechart.report.sections.probing.check import CONTROL, check_metrics, check_predictions
from eyechart.statistics.testing import benjamini_hochberg, mcnemar_exact
from eyechart.tables.parquet import read_table

SUFFIX = ".predictions.parquet"
COLUMN = ["address", "span", "probe"]
MEANS = ["accuracy", "cv_accuracy", "train_accuracy", "selectivity"]


@dataclass(frozen=True)
class TaskResult:
    """One task of one model on one dataset.

    ``points`` has one row per address, span and probe (see :func:`merge_seeds`). ``best`` is the
    point with the highest cross-validated accuracy, and ``components`` the same within each
    component. ``confusion`` counts the best point's predictions. ``comparisons`` are the paired
    tests between components.
    """

    model: str
    dataset: str
    task: str
    scope: str
    points: pl.DataFrame
    best: dict[str, Any]
    components: dict[str, dict[str, Any]]
    confusion: pl.DataFrame
    comparisons: tuple[dict[str, Any], ...]
    reads: tuple[str, ...] = ()  # the vision outputs that the connector reads

    def best_name(self) -> str:
        """Return the name of the best point, for a figure's subtitle."""
        return f"{self.best['address']}/{self.best['span']}, {self.best['probe']}"


def read_results(inputs: Inputs) -> list[TaskResult]:
    """Read, check and merge all probe tables, sorted by dataset, model, scope (item first), task.

    The q of comparisons between components is over all comparisons of one model on one dataset.
    Raise a UserError if a table has no predictions next to it, or is rejected by the checks of this
    section. Tables of tasks that are not probed are omitted; see :func:`read_gaps`.
    """
    given, reads = {str(path) for path in inputs.paths("predictions")}, inputs.reads()
    found, gaps = [], {gap["path"] for gap in read_gaps(inputs) if gap["reason"]}
    for path in inputs.paths("probes"):
        if path in gaps:
            continue
        beside = Path(path).with_suffix(SUFFIX)
        if str(beside) not in given:
            raise UserError(f"{path}: its predictions {beside} were not given")
        one = read_task(path, beside)
        found.append(replace(one, reads=reads.get(one.model, ())))
    found.sort(key=lambda r: (r.dataset, r.model, r.scope != "item", r.task))
    return correct(found)


def read_gaps(inputs: Inputs) -> list[dict[str, Any]]:
    """Return one row per task that is not probed, or whose rare classes are omitted.

    Its keys are ``path``, ``dataset``, ``model``, ``task``, ``reason`` and ``left_out``.
    """
    columns = ["dataset", "model", "task", "reason", "left_out", "kind"]
    found = []
    for path in inputs.paths("probes"):
        rows = pl.DataFrame(read_table(path, columns)).filter(kind="majority")
        gaps = rows.filter(pl.col("reason").is_not_null() | pl.col("left_out").is_not_null())
        found += [{**row, "path": path} for row in gaps.drop("kind").to_dicts()]
    return sorted(found, key=lambda row: (row["dataset"], row["task"], row["model"]))


def correct(results: list[TaskResult]) -> list[TaskResult]:
    """Add ``q`` (Benjamini and Hochberg) to all comparisons of a model on a dataset."""
    found = []
    for _, group in groupby(results, key=lambda r: (r.dataset, r.model)):
        members = list(group)
        p = np.array([c["p"] for r in members for c in r.comparisons])
        q = iter(benjamini_hochberg(p).tolist())
        for result in members:
            with_q = tuple({**c, "q": next(q)} for c in result.comparisons)
            found.append(replace(result, comparisons=with_q))
    return found


def read_task(path: Path, predictions_path: Path) -> TaskResult:
    """Read one probe table and its predictions."""
    rows = pl.DataFrame(read_table(path))
    check_metrics(path, rows)
    predictions = pl.DataFrame(read_table(predictions_path))
    check_predictions(path, rows, predictions)
    check_pair(path, rows.select("model", "dataset").unique().iter_rows())
    names = rows.select("model", "dataset", "task", "scope").unique()
    if len(names) != 1:
        raise UserError(f"{path}: {len(names)} tasks in one table, expected one")
    points = merge_seeds(rows)
    best = best_of(points)
    components = best_by_component(points)
    shown = predictions.filter(pl.col("kind") == "task")
    return TaskResult(
        **names.row(0, named=True),
        points=points,
        best=best,
        components=components,
        confusion=confusion(shown, best),
        comparisons=tuple(compare_components(shown, components)),
    )


def merge_seeds(rows: pl.DataFrame) -> pl.DataFrame:
    """Return one row per address, span and probe, in model order.

    Accuracies and selectivities are means over seeds. Evidence is that of the least favourable
    seed: intervals extend from the lowest to the highest end, p and q are the largest, n is the
    smallest.
    """
    task = rows.filter(pl.col("kind") == "task")
    merged = task.group_by(COLUMN, maintain_order=True).agg(
        pl.col(*MEANS).mean(),
        pl.col("ci_low").min().alias("low"),
        pl.col("ci_high").max().alias("high"),
        pl.col("selectivity_low").min(),
        pl.col("selectivity_high").max(),
        pl.col("null_accuracy").mean().alias("permutation"),
        pl.col("p", "q").max(),
        pl.col("n_train", "n_test", "n_classes", "chance", "n_types").min(),
        pl.len().alias("seeds"),
    )
    control = rows.filter(pl.col("kind") == CONTROL).group_by(COLUMN)
    merged = merged.join(
        control.agg(
            pl.col("accuracy").mean().alias("control"),
            pl.col("ci_low").min().alias("control_low"),
            pl.col("ci_high").max().alias("control_high"),
        ),
        on=COLUMN,
        how="left",
    )
    majority, by_type = (
        pl.lit(rows.filter(pl.col("kind") == kind)["accuracy"].mean(), pl.Float64)
        for kind in ("majority", "majority_type")
    )
    merged = merged.with_columns(
        pl.when(pl.col("n_types").is_null()).then(majority).otherwise(by_type).alias("majority"),
        pl.lit(rows["task"][0]).alias("task"),
        pl.lit(rows["scope"][0]).alias("scope"),
        pl.col("address").map_elements(component, return_dtype=pl.String).alias("component"),
    )
    rank = {a: i for i, a in enumerate(sorted(merged["address"].unique(), key=sort_key))}
    position = pl.col("address").replace_strict(rank, return_dtype=pl.Int64)
    return merged.sort(position, "span", "probe")


def best_of(points: pl.DataFrame) -> dict[str, Any]:
    """Return the point with the highest cross-validated accuracy, or the first of these.

    The test accuracy is not used, so the displayed accuracy is not selected for being high. A
    control, or a probe per question type, is chosen only if there is nothing else.
    """
    own = points.filter(pl.col("span") != OTHER_OBJECT, pl.col("n_types").is_null())
    points = points if own.is_empty() else own
    index = points["cv_accuracy"].arg_max()
    assert index is not None  # check_metrics rejects empty columns
    return points.row(index, named=True)


def best_by_component(points: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """Return the best point of each component, in model order."""
    parts = points.group_by("component", maintain_order=True)
    return {str(name): best_of(part) for (name,), part in parts}


def confusion(predictions: pl.DataFrame, point: dict[str, Any]) -> pl.DataFrame:
    """Return the counts of truth and prediction pairs at one point, over all seeds.

    Result: columns ``truth, prediction`` str, ``count`` int, ``share`` of the true class in [0, 1].
    """
    rows = select(predictions, point)
    counts = rows.group_by("truth", "prediction").len("count")
    labels = sorted({*rows["truth"], *rows["prediction"]}, key=natural)
    grid = pl.DataFrame({"truth": labels}).join(pl.DataFrame({"prediction": labels}), how="cross")
    grid = grid.join(counts, on=["truth", "prediction"], how="left", maintain_order="left")
    count = pl.col("count").fill_null(0).cast(pl.Int64)
    total = pl.col("count").sum().over("truth")
    share = pl.when(total > 0).then(pl.col("count") / total).otherwise(0.0)
    return grid.with_columns(count).with_columns(share.alias("share"))


def compare_components(
    predictions: pl.DataFrame, components: dict[str, dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return paired tests between components, each at its best point, on the same test items.

    Result: rows with ``first, second`` (the points), ``difference`` of their accuracies (second -
    first) on their common items and, for the seed with the largest p, ``n`` items, ``only_first,
    only_second`` (items that only one got right) and ``p``.

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
    """Return the predictions at one address, span and probe, for all seeds."""
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
        "p": mcnemar_exact(first, second, both["id"].to_numpy()),  # one image is one group
    }
