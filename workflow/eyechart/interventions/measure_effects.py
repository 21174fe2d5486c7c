"""Measure the effects of edits: target minus control on the same items, tested by group.

Reads the table of edits. Writes one row per edit, kind of control, task and metric, with intervals,
p, and q over the file. Each row also states whether the difference is shown to lie within the
margin, which means that there is no effect. If an edit was made at several addresses, ``best``
names the one with the largest effect, chosen on different groups from those it is scored on.

    python -m eyechart.interventions.measure_effects --model tiny_llava --dataset clevr --seed 7 \
        --edits results/interventions/tiny_llava/clevr/edits.parquet \
        --settings '{"margin": 0.1}' \
        --output results/interventions/tiny_llava/clevr/effects.parquet
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from scipy.special import ndtri

from eyechart.core.address import sort_key
from eyechart.core.randomness import generator
from eyechart.core.step import Json, command
from eyechart.statistics.best_address import cross_fitted, cross_fitted_flips
from eyechart.statistics.intervals import LEVEL, paired_interval, share_interval
from eyechart.statistics.sign_flip import sign_flip_exact, sign_flip_normal
from eyechart.statistics.testing import benjamini_hochberg
from eyechart.tables.interventions import (
    BEST,
    DENOISE,
    EDITED,
    EDITS,
    EFFECTS,
    METRICS,
    NONE,
    RIGHT,
    SWAP,
    TO_DONOR,
)
from eyechart.tables.notes import read_noted, write_noted

EQUALITY = 0.95  # confidence of each end of the interval that must lie within the margin
TINY = 1e-9  # tolerance for sums of floats
MANY = 500  # number of groups from which the normal approximation replaces the exact distribution

SITE = ("address", "until")
COLUMNS = ("value", "control", "unedited", "group")
Row = dict[str, Any]


@dataclass(frozen=True)
class Paired:
    """A metric under an edit, under its control, and unedited, on the same items; float (n,)."""

    value: np.ndarray
    control: np.ndarray
    unedited: np.ndarray
    groups: np.ndarray
    draws: int


def effects(edits: pl.DataFrame, margin: float, seed: int) -> Iterator[Row]:
    """Yield all edits' rows without q: each edit's rows by address, then its best address."""
    plain = edits.filter(pl.col("intervention").is_in([NONE, SWAP]), control="")
    made = edits.filter(~pl.col("intervention").is_in([NONE, SWAP]))
    of_edit = [name for name in EDITED if name not in SITE]
    for key, part in made.group_by([*of_edit, "task"], maintain_order=True):
        named = dict(zip([*of_edit, "task"], key, strict=True))
        kinds = [k for k in part["control"].unique(maintain_order=True) if k]
        kinds = kinds or [SWAP if named["direction"] == DENOISE else NONE]
        for metric in METRICS:
            if metric == TO_DONOR and part[metric].is_null().all():
                continue
            for kind in kinds:
                shared = {**named, "control": kind, "metric": metric}
                yield from _of_kind(part, plain, shared, margin, seed)


def _of_kind(
    part: pl.DataFrame, plain: pl.DataFrame, shared: Row, margin: float, seed: int
) -> Iterator[Row]:
    """Yield one edit's rows against one kind of control, at every address and at the best."""
    kind, metric = shared["control"], shared["metric"]
    found: dict[tuple[str, str], tuple[np.ndarray, Paired]] = {}
    sites = part.select(SITE).unique(maintain_order=True).rows()
    for site in sorted(sites, key=lambda s: (sort_key(s[0]), sort_key(s[1]))):
        here = part.filter(address=site[0], until=site[1])
        ids, paired = pair(here, plain, kind, metric)
        if len(ids):
            found[site] = ids, paired
            yield {**shared, **dict(zip(SITE, site, strict=True)), **measured(paired, margin)}
    same = {tuple(ids) for ids, _ in found.values()}
    if len(found) > 1 and len(same) == 1:
        rng = generator("best site", seed, *map(str, shared.values()))
        sign = 1 if (metric == RIGHT) == (shared["direction"] == DENOISE) else -1
        yield {**shared, "address": BEST, "until": "", **best(found, sign, margin, rng)}


def pair(
    here: pl.DataFrame, plain: pl.DataFrame, kind: str, metric: str
) -> tuple[np.ndarray, Paired]:
    """Return the items with an edit and its control, and the metric under both."""
    value = pl.col(metric).cast(pl.Float64)
    own = here.filter(control="").select("item_id", "group", value=value)
    unedited = plain.filter(intervention=NONE).select("item_id", unedited=value.fill_null(0.0))
    if kind == NONE:
        control = unedited.select("item_id", control="unedited", draws=pl.lit(1))
    else:
        drawn = plain.filter(intervention=SWAP) if kind == SWAP else here.filter(control=kind)
        control = drawn.group_by("item_id").agg(control=value.mean(), draws=pl.len())
    joined = own.join(control, on="item_id").join(unedited, on="item_id")
    joined = joined.drop_nulls().sort("item_id")
    value_, control_, plain_, groups = (joined[n].to_numpy() for n in COLUMNS)
    draws = int(joined["draws"].to_numpy().max(initial=1))
    return joined["item_id"].to_numpy(), Paired(value_, control_, plain_, groups, draws)


def measured(paired: Paired, margin: float) -> Row:
    """Return the statistics of an effect."""
    value, control, groups = paired.value, paired.control, paired.groups
    low, high = paired_interval(value, control, groups)
    ends = paired_interval(value, control, groups, EQUALITY)
    exact = len(np.unique(groups)) < MANY
    test = sign_flip_exact if exact else sign_flip_normal
    steps = (paired.draws,) if exact else ()
    own = share_interval(value, groups)
    return {
        "value": float(value.mean()),
        "ci_low": own[0],
        "ci_high": own[1],
        "control_value": float(control.mean()),
        "unedited": float(paired.unedited.mean()),
        "difference": float((value - control).mean()),
        "difference_low": low,
        "difference_high": high,
        "p": test(value, control, groups, *steps),
        "equal": bool(-margin < ends[0] and ends[1] < margin),
        "n": len(value),
        "groups": len(np.unique(groups)),
    }


def best(
    found: dict[tuple[str, str], tuple[np.ndarray, Paired]],
    sign: int,
    margin: float,
    rng: np.random.Generator,
) -> Row:
    """Return the effect at the address that is best on other groups, the largest in one direction.

    Its interval covers 95% of the sign-flipped values. Two groups are added, one that gains all
    and one that loses all, as in ``statistics.intervals.paired_interval``.
    """
    each = [paired for _, paired in found.values()]
    gain = sign * np.stack([one.value - one.control for one in each])
    chosen = cross_fitted(gain, each[0].groups, rng)[1]
    value, flips = cross_fitted_flips(gain, each[0].groups, rng)
    count = len(np.unique(each[0].groups))
    reach, near = (
        float(
            np.hypot(np.quantile(np.abs(flips), 2 * level - 1), ndtri(level) * 2**0.5 / (count + 2))
        )
        for level in (LEVEL, EQUALITY)
    )
    control = float(np.mean([each[k].control.mean() for k in chosen]))  # over the named ones
    names = [a if a == b else f"{a}–{b}" for a, b in found]
    difference = sign * value
    ends = [max(-1.0, difference - reach), min(1.0, difference + reach)]
    return {
        "value": control + difference,
        **{"ci_low": max(0.0, control + ends[0]), "ci_high": min(1.0, control + ends[1])},
        "control_value": control,
        "unedited": float(each[0].unedited.mean()),
        **{"difference": difference, "difference_low": ends[0], "difference_high": ends[1]},
        "p": float((1 + (np.abs(flips) >= abs(value) - TINY).sum()) / (1 + len(flips))),
        "equal": abs(difference) + near < margin,
        "n": gain.shape[1],
        "groups": count,
        "chosen": ", ".join(names[k] for k in chosen),
    }


@command
def main(*, model: str, dataset: str, edits: Path, settings: Json, seed: int, output: Path) -> None:
    """Write the effects, with the notes of the edits."""
    table, notes = read_noted(edits, EDITS)
    rows = list(effects(pl.DataFrame(table), settings["margin"], seed))
    q = benjamini_hochberg(np.array([row["p"] for row in rows]))
    named = {"model": model, "dataset": dataset, "chosen": ""}
    done = [named | row | {"q": float(own)} for row, own in zip(rows, q, strict=True)]
    write_noted(output, pa.Table.from_pylist(done, EFFECTS), notes)


if __name__ == "__main__":
    main()
