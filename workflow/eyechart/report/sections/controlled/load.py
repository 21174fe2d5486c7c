"""Data on controlled models: their stages per skill, and mixtures by share."""

from collections.abc import Iterator
from typing import Any

import polars as pl

from eyechart.core.files import read_json
from eyechart.report.checking import Checker, absent
from eyechart.report.files import Inputs
from eyechart.tables.parquet import read_table
from eyechart.tables.scores import ALL, SCORES
from eyechart.tables.verdict import VALUES

Row = dict[str, Any]
SHOWN = ("encoder", "connector", "lm_best", "sighted", "blind")
SHARE, CIDER = "share", "CIDEr-D"
MEASURES = {  # name: condition, metric, scale, and whether its complement is shown
    "pairs": ("sighted", "pair_accuracy", SHARE, False),
    "parsed": ("sighted", "unparsed", SHARE, True),
    "text only": ("no_image", "accuracy", SHARE, False),
    "captions": ("sighted", "cider_d", CIDER, False),
    "captions of white images": ("blank", "cider_d", CIDER, False),
}


def read_built(inputs: Inputs) -> dict[str, Row]:
    """Return the parts of each controlled model, in the order of the configuration."""
    found = {file.names["model"]: read_json(file.path) for file in inputs.of("built")}
    return {model: ready["recipe"]["built"] for model, ready in found.items()}


def stages(inputs: Inputs, built: dict[str, Row]) -> list[Row]:
    """Return one row per skill and controlled model, with the value of each stage.

    Raise a UserError for a value without interval, n or chance.
    """
    found = []
    for file in inputs.of("verdicts"):
        if file.names["model"] not in built:
            continue
        table = pl.DataFrame(read_table(file.path, VALUES.names))
        _check(file.path, table, "chance")
        for key, own in table.group_by("dataset", "skill", maintain_order=True):
            values = {row["stage"]: row for row in own.to_dicts() if row["stage"] in SHOWN}
            named = {"model": file.names["model"], "dataset": key[0], "skill": key[1]}
            found.append({**named, "stages": [values.get(stage) for stage in SHOWN]})
    order = list(built)
    return sorted(found, key=lambda r: (r["dataset"], r["skill"], order.index(r["model"])))


def curve(inputs: Inputs, built: dict[str, Row]) -> list[Row]:
    """Return the points of mixtures: their measures on each dataset, by share.

    A model with a single encoder is an end of the curve. Without a mixture, nothing is returned.
    """
    places = dict(_places(built))
    found = []
    for file in inputs.of("scores") if any(how["mix"] for how in built.values()) else ():
        if file.names["model"] not in places:
            continue
        table = pl.DataFrame(read_table(file.path, SCORES.names)).filter(task=ALL)
        for name, (condition, metric, scale, complement) in MEASURES.items():
            own = table.filter(condition=condition, metric=metric)
            _check(file.path, own, *(("chance",) if metric.endswith("accuracy") else ()))
            for row in own.to_dicts():
                ends = [row["value"], row["ci_low"], row["ci_high"]]
                if complement:
                    ends = [1 - ends[0], 1 - ends[2], 1 - ends[1]]
                point = {"model": row["model"], "measure": f"{name}: {row['dataset']}"}
                point["scale"] = scale
                point |= dict(zip(("value", "low", "high"), ends, strict=True))
                found.append(point | {"n": row["n"], "chance": row["chance"]}
                             | places[row["model"]])  # fmt: skip
    return sorted(found, key=lambda p: (p["measure"], p["interleaved"], p["share"]))


def _places(built: dict[str, Row]) -> Iterator[tuple[str, Row]]:
    """Yield each model's position on the curve: the share of the second encoder."""
    mixed = [how["encoders"] for how in built.values() if how["mix"]]
    for model, how in built.items():
        if how["mix"]:
            interleaved = how["mix"] == "interleaved"
            yield model, {"share": how["share"], "interleaved": interleaved}
        elif any(how["encoders"] == pair[n : n + 1] for pair in mixed for n in (0, 1)):
            share = next(n for pair in mixed for n in (0, 1) if pair[n : n + 1] == how["encoders"])
            yield model, {"share": float(share), "interleaved": False}


def _check(path: Any, table: pl.DataFrame, *more: str) -> None:
    name = "metric" if "metric" in table.columns else "stage"
    checker = Checker(path, table, lambda row: str(row[name]))
    for field in ("value", "ci_low", "ci_high", "n", *more):
        checker.refuse(absent(field), f"no {field}")
