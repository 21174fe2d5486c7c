"""What the section about where the picture goes is given; its charts are pictures, with tables."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import vl_convert
from PIL import Image

from eyechart.report.attention import ROLE_NAMES, Looking, Shown, letters, read_looking, read_shown
from eyechart.report.attention_pictures import sheet
from eyechart.report.chart_attention import SERIES, heads, looks, masses, settling
from eyechart.report.chart_behaviour import task_name
from eyechart.report.chart_style import VEGALITE, Spec
from eyechart.report.format import p_value, share
from eyechart.report.places import order
from eyechart.tables.scores import ALL

Row = dict[str, Any]
HALF = 0.5


@dataclass(frozen=True)
class Source:
    """Where the items of a dataset are described; ``regions`` is None where it has none."""

    items: Path
    images: Path
    regions: Path | None


def section(
    summaries: Sequence[Path], sources: Mapping[str, Source], settings: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Give all that the section shows, or None where nothing was traced.

    Parameters
    ----------
    summaries : paths ``…/<model>/<dataset>/summary.parquet``; the other tables stand beside them
    sources : by dataset
    settings : ``alpha``, ``layers`` (maps per picture), ``pictures`` (per model and dataset),
        ``gallery_px`` (width of a panel)
    """
    if not summaries:
        return None
    folders = {(p.parent.parent.name, p.parent.name): p.parent for p in summaries}
    blocks = []
    for looking in read_looking(summaries):
        folder, source = folders[looking.model, looking.dataset], sources[looking.dataset]
        shown = read_shown(folder, source.items, source.images, source.regions)
        blocks.append(block(looking, turns(shown, settings["pictures"]), settings))
    return {"blocks": blocks}


def block(looking: Looking, shown: Sequence[Shown], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Give what the section shows of one model on one dataset."""
    alpha = settings["alpha"]
    return {
        "id": f"looks-{looking.dataset}-{looking.model}",
        "model": looking.model,
        "dataset": looking.dataset,
        "said": looking.said(),
        "sentences": sentences(looking, alpha),
        "charts": charts(looking, alpha),
        "items": [card(one, settings["layers"], settings["gallery_px"]) for one in shown],
    }


def charts(looking: Looking, alpha: float) -> list[dict[str, Any]]:
    """Give title, picture and table of each chart that has anything to show."""
    found = []
    ratios = looking.of("ratio", *ROLE_NAMES)
    if ratios:
        title = "Attention inside the marked regions, against their area"
        found.append(_chart("looks", title, looks(looking), ratio_table(ratios)))
    if looking.of("ratio", "right", heads=True):
        task = looking.tasks()[0]
        title = "The right choice's region, by block and head"
        rows = [r for r in looking.of("ratio", "right", heads=True) if r["task"] == task]
        found.append(_chart("heads", title, heads(looking, alpha, task), head_table(rows)))
    if looking.of("image_mass"):
        title = "Attention that falls on the picture at all"
        rows = looking.of("image_mass")
        found.append(_chart("masses", title, masses(looking), plain_table(rows, "picture")))
    said = looking.of("lens_p_right", "answer")
    if said:
        title = "From which block on the answer stands"
        table = plain_table(said, "answer")
        table["lines"] += plain_table(looking.of("lens_p_right", "right"), "inside")["lines"]
        table["lines"] += plain_table(looking.of("lens_settled"), "settled")["lines"]
        found.append(_chart("settling", title, settling(looking), table))
    return found


def sentences(looking: Looking, alpha: float) -> list[str]:
    """Say in a few sentences where the answer looks, and when it stands."""
    task = looking.tasks()[0] if looking.tasks() else ALL
    found = []
    right = [r for r in looking.of("ratio", "right") if r["task"] == task]
    if right:
        best = max(right, key=lambda r: r["value"])
        sure = best["q"] is not None and best["q"] < alpha and best["difference"] > 0
        moved = ""
        if best["control"] is not None and best["q"] is not None:
            moved = f", {times(best['control'])} in moved regions, q {p_value(best['q'])}"
        ends = f"{times(best['ci_low'])} to {times(best['ci_high'])}"
        found.append(
            f"Of {len(right)} blocks {best['address']} looks hardest into the right choice's "
            f"region: {times(best['value'])} times uniform (95 %: {ends}{moved}, n {best['n']:,}); "
            f"{'' if sure else 'not shown to be '}more than at such places of any picture."
        )
    settled = [r for r in looking.of("lens_settled") if r["task"] == task]
    if settled:
        first = next(r for r in settled if r["value"] >= HALF)
        found.append(
            f"At least half of the items have settled on their last answer from {first['address']} "
            f"on ({share(first['value'])}, 95 %: {share(first['ci_low'])} to "
            f"{share(first['ci_high'])}, n {first['n']:,})."
        )
    return found


def ratio_table(rows: Sequence[Row]) -> dict[str, Any]:
    """Give heads and lines of the table under the curves of ratios."""
    heads_ = ["task", "region", "block", "times uniform", "moved", "difference", "q", "n"]
    lines = [
        [
            *(task_name(r["task"]), ROLE_NAMES[r["role"]], r["address"]),
            f"{times(r['value'])} ({times(r['ci_low'])}–{times(r['ci_high'])})",
            times(r["control"]),
            _difference(r),
            "–" if r["q"] is None else p_value(r["q"]).replace("= ", ""),
            f"{r['n']:,}",
        ]
        for r in rows
    ]
    return {"heads": heads_, "lines": lines}


def head_table(rows: Sequence[Row]) -> dict[str, Any]:
    """Give a line per block and a column per head."""
    blocks = sorted({r["address"] for r in rows}, key=order)
    columns = sorted({r["head"] for r in rows})
    at = {(r["address"], r["head"]): r for r in rows}
    lines = [
        [b, *(times(at[b, h]["value"]) if (b, h) in at else "–" for h in columns)] for b in blocks
    ]
    n = rows[0]["n"]
    task = task_name(rows[0]["task"])
    return {"heads": [f"{task}, n {n:,}", *(f"head {h}" for h in columns)], "lines": lines}


def plain_table(rows: Sequence[Row], series: str) -> dict[str, Any]:
    """Give the table of shares: with interval, chance or the uniform share, and n."""
    lines = [
        [
            *(task_name(r["task"]), SERIES[series][0], r["address"]),
            f"{share(r['value'])} ({share(r['ci_low'])}–{share(r['ci_high'])})",
            "–" if r["chance"] is None else share(r["chance"]),
            f"{r['n']:,}",
        ]
        for r in rows
    ]
    beside = "share of the prompt" if series == "picture" else "chance"
    return {"heads": ["task", "what", "block", "share", beside, "n"], "lines": lines}


def card(shown: Shown, layers: int, pixels: int) -> dict[str, Any]:
    """Give one item: its sheet, its question, and what each block would say."""
    image = sheet(shown, layers, pixels)
    names = letters(shown.item)
    return {
        "item_id": shown.item["item_id"],
        "task": shown.item["task"],
        "prompt": shown.item["prompt"],
        "choices": shown.item["choices"],
        "answer": shown.item["answer"],
        "source": _png(image),
        "width": image.width,
        "height": image.height,
        "regions": [
            {"name": r.name, "choice": names.get(r.name), "role": shown.roles.get(r.name)}
            for r in shown.regions
        ],
        "words": shown.words,
    }


def turns(shown: Sequence[Shown], most: int) -> list[Shown]:
    """Give some items, of each task the first before the second of any."""
    seen: dict[str, int] = {}
    ranked = []
    for place, one in enumerate(shown):
        turn = seen[one.item["task"]] = seen.get(one.item["task"], -1) + 1
        ranked.append((turn, place, one))
    return [one for _, _, one in sorted(ranked, key=lambda r: r[:2])[:most]]


def times(value: float | None) -> str:
    """Write a ratio.

    >>> times(1.234), times(12.34), times(None)
    ('1.23', '12.3', '–')
    """
    return "–" if value is None else f"{value:.2f}" if value < 10 else f"{value:.3g}"


def _difference(row: Row) -> str:
    if row["difference"] is None:
        return "–"
    low, high = (share(row[f"difference_{end}"], sign=True) for end in ("low", "high"))
    return f"{share(row['difference'], sign=True)} ({low} to {high})"


def _chart(name: str, title: str, chart: Spec, table: dict[str, Any]) -> dict[str, Any]:
    svg = vl_convert.vegalite_to_svg(chart, vl_version=VEGALITE)
    source = f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"
    return {"name": name, "title": title, "source": source, "table": table}


def _png(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.quantize(192).save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
