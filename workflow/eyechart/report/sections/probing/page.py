"""Probes: results, components and chart data for each dataset and model."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from eyechart.core.address import COMPONENT_NAMES, COMPONENTS
from eyechart.report.chart_style import Rows
from eyechart.report.files import Inputs
from eyechart.report.format import p_value, share
from eyechart.report.labels import Criteria
from eyechart.report.sections.probing.components import components
from eyechart.report.sections.probing.curves import curve_rows, curve_start, one_curve
from eyechart.report.sections.probing.findings import summarise
from eyechart.report.sections.probing.load import TaskResult, read_gaps, read_results
from eyechart.report.sections.probing.maps import confusion_rows, one_confusion, one_selectivity

CURVE_HEIGHT = 300  # px


def context(inputs: Inputs, settings: dict[str, Any]) -> dict[str, Any] | None:
    """Return the template data, or None if nothing was probed."""
    results, missing = read_results(inputs), gaps(read_gaps(inputs), settings["unprobed"])
    if not results and not missing:
        return None
    criteria = Criteria(settings["alpha"], settings["selectivity"])
    blocks = [
        block(list(group), criteria)
        for _, group in groupby(results, key=lambda r: (r.dataset, r.model))
    ]
    return {
        "blocks": blocks,
        "gaps": missing,
        "component_names": COMPONENT_NAMES,
        "findings": summarise(results, criteria),
    }


def gaps(
    found: Sequence[dict[str, Any]], planned: dict[str, dict[str, str]]
) -> list[dict[str, Any]]:
    """Return one row per dataset, task and gap, with the reason and the models.

    ``planned`` has the reasons, by dataset and task, that are known before extraction and apply to
    all models.
    """
    models: dict[tuple[str, str, str, str], list[str]] = {}
    for dataset, tasks in planned.items():
        models |= {(dataset, task, reason, ""): ["all"] for task, reason in tasks.items()}
    for gap in found:
        key = gap["dataset"], gap["task"], gap["reason"] or "", gap["left_out"] or ""
        models.setdefault(key, []).append(gap["model"])
    names = ("dataset", "task", "reason", "left_out")
    return [{**dict(zip(names, key, strict=True)), "models": m} for key, m in models.items()]


def block(results: list[TaskResult], criteria: Criteria) -> dict[str, Any]:
    """Return the template data of one model on one dataset."""
    model, dataset = results[0].model, results[0].dataset
    return {
        "id": f"{dataset}-{model}",
        "dataset": dataset,
        "model": model,
        "results": results,
        "scopes": list(dict.fromkeys(r.scope for r in results)),
        "probes": sorted({p for r in results for p in r.points["probe"]}),
        "seeds": results[0].best["seeds"],
        "components": [n for n in COMPONENTS if any(n in r.components for r in results)],
        "compared": [r for r in results if r.comparisons],
        "start": curve_start(results),
        "charts": charts(results, criteria),
    }


def charts(results: Sequence[TaskResult], criteria: Criteria) -> dict[str, Any]:
    """Return the charts of one model on one dataset, with the rows that the page inserts."""
    rows = curve_rows(results)
    confusion: dict[str, list[list[Any]]] = {}
    for row in confusion_rows(results):
        cell = [row[name] for name in ("truth", "prediction", "count", "share")]
        confusion.setdefault(row["task"], []).append(cell)
    return {
        "points": _columns(rows),
        "confusion": confusion,
        "best": {r.task: _best(r) for r in results},
        "curve": one_curve(results, CURVE_HEIGHT),
        "matrix": one_confusion(),
        "components": components(results),
        "selectivity": {
            probe: one_selectivity(results, probe, criteria.alpha)
            for probe in sorted({r["probe"] for r in rows})
        },
    }


def _best(result: TaskResult) -> dict[str, str]:
    best = result.best
    sentence = (
        f"Best address of {result.task}: {result.best_name()}: accuracy {share(best['accuracy'])} "
        f"(95%: {share(best['low'])}–{share(best['high'])}, n = {best['n_test']}); control "
        f"{share(best['control'])}, majority {share(best['majority'])}, chance "
        f"{share(best['chance'])}, q {p_value(best['q'])}."
    )
    point = {name: str(best[name]) for name in ("address", "span", "probe")}
    return {**point, "name": result.best_name(), "sentence": sentence}


def _columns(rows: Rows) -> dict[str, list[Any]]:
    # names are stored once instead of per row, which takes a fifth of the bytes
    return {name: [row[name] for row in rows] for name in rows[0]}
