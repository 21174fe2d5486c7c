"""Attention and logit lens: charts as images with their tables, sentences and sample items."""

from collections.abc import Mapping, Sequence
from typing import Any

from eyechart.core.address import sort_key
from eyechart.report import mapped_images
from eyechart.report.chart_style import Spec, svg_address
from eyechart.report.files import Inputs
from eyechart.report.format import p_value, share
from eyechart.report.labels import task_name
from eyechart.report.overlays import in_turn
from eyechart.report.sections.attention import load
from eyechart.report.sections.attention.charts import NAMES, heads, lens, masses, ratios, sheet
from eyechart.tables.scores import ALL

Row = dict[str, Any]
HALF = 0.5


def context(inputs: Inputs, settings: dict[str, Any]) -> dict[str, Any] | None:
    """Return the template data, or None if no item was traced.

    ``settings``: ``alpha``, ``map_layers`` (maps per image), ``maps`` (images per model and
    dataset), ``gallery_px`` (width of a panel).
    """
    blocks = []
    for traced in load.read_traced(inputs.paths("attention")):
        examples = in_turn(load.read_examples(inputs, traced), settings["maps"])
        blocks.append(block(traced, examples, settings))
    return {"blocks": blocks} if blocks else None


def block(
    traced: load.Traced, examples: Sequence[load.TracedImage], settings: Mapping[str, Any]
) -> Row:
    """Return the template data of one model on one dataset."""
    alpha = settings["alpha"]
    return {
        "id": f"attention-{traced.dataset}-{traced.model}",
        "model": traced.model,
        "dataset": traced.dataset,
        "missing": traced.missing(),
        "sentences": sentences(traced, alpha),
        "charts": charts(traced, alpha),
        "items": [card(one, settings["map_layers"], settings["gallery_px"]) for one in examples],
    }


def charts(traced: load.Traced, alpha: float) -> list[dict[str, Any]]:
    """Return the title, image and table of each chart that has data."""
    found = []
    rows = traced.of("ratio", *load.ROLE_NAMES)
    if rows:
        title = "Attention inside the marked regions, relative to their area"
        found.append(_chart("ratios", title, ratios(traced), ratio_table(rows)))
    if traced.of("ratio", "right", heads=True):
        task = traced.tasks()[0]
        title = "The right choice's region, by block and head"
        rows = [r for r in traced.of("ratio", "right", heads=True) if r["task"] == task]
        found.append(_chart("heads", title, heads(traced, alpha, task), head_table(rows)))
    if traced.of("image_mass"):
        title = "Attention on the image"
        rows = traced.of("image_mass")
        found.append(_chart("masses", title, masses(traced), plain_table(rows, "image")))
    steps = traced.of("lens_p_right", "answer")
    if steps:
        title = "The block from which the response is fixed"
        table = plain_table(steps, "answer")
        table["lines"] += plain_table(traced.of("lens_p_right", "right"), "inside")["lines"]
        table["lines"] += plain_table(traced.of("lens_settled"), "settled")["lines"]
        found.append(_chart("lens", title, lens(traced), table))
    return found


def sentences(traced: load.Traced, alpha: float) -> list[str]:
    """Return sentences on where the model attends, and when its response is fixed."""
    task = traced.tasks()[0] if traced.tasks() else ALL
    found = []
    right = [r for r in traced.of("ratio", "right") if r["task"] == task]
    if right:
        best = max(right, key=lambda r: r["value"])
        sure = best["q"] is not None and best["q"] < alpha and best["difference"] > 0
        control = ""
        if best["control"] is not None and best["q"] is not None:
            control = f"; control regions {times(best['control'])}x, q {p_value(best['q'])}"
        end = (
            "This is more than in the control regions."
            if sure
            else "This is not significantly more than in the control regions, "
            "so it is not specific to the question."
        )
        found.append(
            f"Block {best['address']} (of {len(right)}) attends most to the right choice's region: "
            f"{times(best['value'])}x uniform [{times(best['ci_low'])}–{times(best['ci_high'])}]"
            f"{control} (n {best['n']:,}). {end}"
        )
    settled = [r for r in traced.of("lens_settled") if r["task"] == task]
    if settled:
        first = next(r for r in settled if r["value"] >= HALF)
        found.append(
            f"In at least half of the items the response is fixed from block {first['address']} on "
            f"({share(first['value'])}, 95%: {share(first['ci_low'])} to "
            f"{share(first['ci_high'])}, n {first['n']:,})."
        )
    return found


def ratio_table(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the heads and lines of the table under the ratio curves."""
    heads_ = ["task", "region", "block", "times uniform", "control", "difference", "q", "n"]
    lines = [
        [
            *(task_name(r["task"]), load.ROLE_NAMES[r["role"]], r["address"]),
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
    """Return a table with one line per block and one column per head."""
    blocks = sorted({r["address"] for r in rows}, key=sort_key)
    columns = sorted({r["head"] for r in rows})
    at = {(r["address"], r["head"]): r for r in rows}
    lines = [
        [b, *(times(at[b, h]["value"]) if (b, h) in at else "–" for h in columns)] for b in blocks
    ]
    n = rows[0]["n"]
    task = task_name(rows[0]["task"])
    return {"heads": [f"{task}, n {n:,}", *(f"head {h}" for h in columns)], "lines": lines}


def plain_table(rows: Sequence[Row], series: str) -> dict[str, Any]:
    """Return the table of shares with interval, chance or uniform share, and n."""
    lines = [
        [
            *(task_name(r["task"]), NAMES[series], r["address"]),
            f"{share(r['value'])} ({share(r['ci_low'])}–{share(r['ci_high'])})",
            "–" if r["chance"] is None else share(r["chance"]),
            f"{r['n']:,}",
        ]
        for r in rows
    ]
    beside = "share of the prompt" if series == "image" else "chance"
    return {"heads": ["task", "quantity", "block", "share", beside, "n"], "lines": lines}


def card(shown: load.TracedImage, layers: int, pixels: int) -> dict[str, Any]:
    """Return the template data of one item: its sheet, question, and logit lens by block."""
    names = load.letters(shown.item)
    return mapped_images.card(shown, sheet(shown, layers, pixels).quantize(192)) | {
        "regions": [
            {"name": r.name, "choice": names.get(r.name), "role": shown.roles.get(r.name)}
            for r in shown.regions
        ],
        "words": shown.words,
    }


def times(value: float | None) -> str:
    """Return a ratio as text.

    >>> times(1.234), times(12.34), times(None)
    ('1.23', '12.3', '–')
    """
    return "–" if value is None else f"{value:.2f}" if value < 10 else f"{value:.3g}"


def _difference(row: Row) -> str:
    if row["difference"] is None:
        return "–"
    low, high = (share(row[f"difference_{end}"], sign=True) for end in ("low", "high"))
    return f"{share(row['difference'], sign=True)} ({low} to {high})"


def _chart(name: str, title: str, chart: Spec, table: Row) -> Row:
    return {"name": name, "title": title, "source": svg_address(chart), "table": table}
