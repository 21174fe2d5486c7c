"""What the page's template is given, and the page as one piece of text."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import vl_convert

from eyechart.report.behaviour import SHOWN, WITH
from eyechart.report.chart_curves import curve_rows, curve_start, one_curve
from eyechart.report.chart_maps import confusion_rows, one_confusion, one_selectivity
from eyechart.report.chart_rooms import rooms
from eyechart.report.chart_style import VEGALITE, Rows
from eyechart.report.format import duration, p_value, share, size
from eyechart.report.places import ROOM_NAMES, ROOMS, spell
from eyechart.report.results import TaskResult
from eyechart.report.summary import Bar
from eyechart.report.templates import open_templates

CURVE_HEIGHT = 300  # px
EMBED = "window.vegaEmbed = vegaEmbed;"  # all of the bundle that page.js calls


def exams(results: Sequence[TaskResult], bar: Bar) -> list[dict[str, Any]]:
    """Give per dataset and model: its results, its room table and the data of its charts."""
    found = []
    for (dataset, model), group in groupby(results, key=lambda r: (r.dataset, r.model)):
        members = list(group)
        found.append(
            {
                "id": f"{dataset}-{model}",
                "dataset": dataset,
                "model": model,
                "results": members,
                "scopes": list(dict.fromkeys(r.scope for r in members)),
                "probes": sorted({p for r in members for p in r.points["probe"]}),
                "rooms": [n for n in ROOMS if any(n in r.rooms for r in members)],
                "compared": [r for r in members if r.comparisons],
                "start": curve_start(members),
                "charts": _charts(members, bar),
            }
        )
    return found


def render(templates: Path, bar: Bar, **context: Any) -> str:
    """Fill ``page.html.j2``; every text from data is escaped, scripts and styles stand inside."""
    environment = open_templates(templates)
    environment.filters |= {"share": share, "p": p_value, "size": size, "duration": duration}
    environment.filters["spell"] = spell
    return environment.get_template("page.html.j2").render(
        **context,
        bar=bar,
        room_names=ROOM_NAMES,
        shown=SHOWN,
        spoken=WITH,
        style=(templates / "style.css").read_text(encoding="utf-8"),
        script=(templates / "page.js").read_text(encoding="utf-8"),
        vega=vl_convert.javascript_bundle(EMBED, vl_version=VEGALITE),
    )


def _charts(results: Sequence[TaskResult], bar: Bar) -> dict[str, Any]:
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
        "rooms": rooms(results),
        "selectivity": {
            probe: one_selectivity(results, probe, bar.alpha)
            for probe in sorted({r["probe"] for r in rows})
        },
    }


def _best(result: TaskResult) -> dict[str, str]:
    best = result.best
    sentence = (
        f"Best address of {result.task}: {result.place()}: accuracy {share(best['accuracy'])} "
        f"(95 %: {share(best['low'])}–{share(best['high'])}, n = {best['n_test']}); control "
        f"{share(best['control'])}, majority {share(best['majority'])}, chance "
        f"{share(best['chance'])}, q {p_value(best['q'])}."
    )
    place = {name: str(best[name]) for name in ("address", "span", "probe")}
    return {**place, "name": result.place(), "sentence": sentence}


def _columns(rows: Rows) -> dict[str, list[Any]]:
    # names once instead of once per row: a fifth of the bytes
    return {name: [row[name] for row in rows] for name in rows[0]}
