"""Example items: items whose response changes without the image, and the worst pairs."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from eyechart.core.errors import UserError
from eyechart.core.randomness import seed_for
from eyechart.report.images import embed
from eyechart.report.labels import SIGHTED
from eyechart.report.sections.behavior.load import Behavior
from eyechart.tables.choice_scoring import score

Entry = dict[str, Any]


def differing(
    behavior: Behavior, items: pl.DataFrame, images: pl.DataFrame, settings: dict[str, Any]
) -> Entry | None:
    """Return items whose response changes without the image, largest changes first.

    The order takes the item with the largest change of the truth's probability in each task, then
    the second of each, and so on. Open questions, which have text answers, are ordered by ``seed``.
    Result: ``entries`` (at most ``settings["differing"]``, see :func:`entry`), and ``differ`` of
    ``n`` items; None if no item has both responses.
    """
    blind = behavior.blind()
    if blind is None or SIGHTED not in behavior.conditions():
        return None
    both = _both(behavior, items, blind)
    for row in both:
        both_known = row["p_sighted"] is not None and row["p_blind"] is not None
        row["change"] = abs(row["p_sighted"] - row["p_blind"]) if both_known else 0.0
        row["draw"] = seed_for("differing", settings["seed"], row["item_id"])
    differ = [row for row in both if row["sighted"] != row["blind"]]
    differ.sort(key=lambda r: (-r["change"], r["draw"]))
    seen: dict[str, int] = {}
    for row in differ:
        row["turn"] = seen[row["task"]] = seen.get(row["task"], -1) + 1
    shown = sorted(differ, key=lambda r: r["turn"])[: settings["differing"]]
    entries = [entry([row], images, settings["gallery_px"]) for row in shown]
    return {"entries": entries, "differ": len(differ), "n": len(both), "blind": blind}


def worst_pairs(
    behavior: Behavior, items: pl.DataFrame, images: pl.DataFrame, settings: dict[str, Any]
) -> Entry | None:
    """Return the pairs with the lowest margin between the truth and the best wrong option.

    The margin of an item is the score of its truth minus the highest score of the other choices
    (nats, sighted, options as given). The margin of a pair is the smaller margin of its items.
    Result: ``entries`` (at most ``settings["worst_pairs"]``, lowest first), ``wrong`` (pairs with a
    negative margin) and ``n`` (pairs); None if there are no pairs.
    """
    blind = behavior.blind()
    rows = [r for r in _both(behavior, items, blind) if r["pair"] and r["margin"] is not None]
    pairs: dict[str, list[Entry]] = {}
    for row in rows:
        pairs.setdefault(row["pair"], []).append(row)
    if not pairs:
        return None
    margin = {name: min(r["margin"] for r in group) for name, group in pairs.items()}
    worst = sorted(pairs, key=lambda name: (margin[name], name))[: settings["worst_pairs"]]
    entries = [
        {**entry(pairs[name], images, settings["gallery_px"]), "pair": name, "margin": margin[name]}
        for name in worst
    ]
    wrong = sum(value < 0 for value in margin.values())
    return {"entries": entries, "wrong": wrong, "n": len(pairs), "blind": blind}


def entry(rows: list[Entry], images: pl.DataFrame, pixels: int) -> Entry:
    """Return one card: the distinct images of some items, and the items."""
    names = list(dict.fromkeys(name for row in rows for name in row["images"]))
    found = []
    for name in names:
        path = images.filter(pl.col("image_id") == name)["path"]
        if path.is_empty():
            raise UserError(f"items name image {name!r}, which is not in images.parquet")
        source, width, height = embed(Path(path[0]), pixels)
        found.append({"image_id": name, "source": source, "width": width, "height": height})
    return {"images": found, "items": rows, "task": rows[0]["task"]}


def _both(behavior: Behavior, items: pl.DataFrame, blind: str | None) -> list[Entry]:
    """Return the sighted and blind responses per item, with the options as given."""
    responses = behavior.answers.filter(pl.col("order") == 0)
    numbers = ["log_probability", "tokens", "unconditional"]
    columns = ["item_id", "predicted", "scoring", "text", *numbers]
    sighted = responses.filter(pl.col("condition") == SIGHTED).select(columns)
    other = responses.filter(pl.col("condition") == (blind or "")).select(columns)
    rows = items.join(sighted, on="item_id").join(
        other, on="item_id", how="inner" if blind else "left", suffix="_blind"
    )
    return [_item(row) for row in rows.sort("item_id").iter_rows(named=True)]


def _item(row: Entry) -> Entry:
    kept = ("item_id", "task", "pair", "images", "prompt", "choices", "answer")
    found = {name: row[name] for name in kept}
    known = row["answer"] in row["choices"]  # the user's own data may lack it
    true = row["choices"].index(row["answer"]) if known else None
    for name, end in (("sighted", ""), ("blind", "_blind")):
        chosen, scores = row["predicted" + end], _scores(row, end)
        found[name] = row["text" + end] if chosen is None else chosen
        found[f"p_{name}"] = None if true is None or not scores else _probability(scores, true)
    found["margin"] = None if true is None else _margin(_scores(row, ""), true)
    return found


def _scores(row: Entry, end: str) -> list[float]:
    numbers = [row[name + end] for name in ("log_probability", "tokens", "unconditional")]
    return score(row["scoring" + end], *numbers) if numbers[0] else []


def _probability(logs: list[float], true: int) -> float:
    weights = np.exp(np.array(logs) - max(logs))
    return float(weights[true] / weights.sum())


def _margin(logs: list[float], true: int) -> float | None:
    others = [value for i, value in enumerate(logs) if i != true]
    return logs[true] - max(others) if others else None
