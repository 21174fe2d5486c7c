"""Causal evidence about a skill: the states on which its answers depend or do not depend.

Patching replaces image tokens with those of a donor's image. Erasure removes the skill's own
concept from them. Both are compared with a control on the same items (docs/interventions.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from eyechart.core.address import sort_key
from eyechart.core.errors import UserError
from eyechart.statistics.testing import holm
from eyechart.tables.interventions import (
    BEST,
    DENOISE,
    EFFECTS,
    ERASERS,
    MOVED,
    NOISE,
    RIGHT,
    TO_DONOR,
)
from eyechart.tables.parquet import read_table
from eyechart.tables.verdict_rules import Test, VerdictThresholds

Row = dict[str, Any]


@dataclass(frozen=True)
class Effect:
    """An edit minus its control; with several controls, the one with the smallest difference.

    Attributes
    ----------
    test : Test
        q is p, corrected over all edits of the skill with Holm's procedure.
    value, most, control : float
        Share under the edit, upper end of its 95% interval, and share under the control.
    equal : bool
        Whether the difference from every control is shown to be within the margin.
    """

    test: Test
    value: float
    most: float
    control: float
    equal: bool
    n: int
    groups: int


@dataclass(frozen=True)
class Erasure:
    """The effect of erasing a concept at an address, and the concept's decodability there."""

    effect: Effect
    before: float
    before_low: float
    after: float
    after_low: float
    majority: float

    def held(self, thresholds: VerdictThresholds) -> bool:
        """Return whether the concept is shown to be decodable."""
        above = self.before_low > self.majority
        return above and self.before >= self.majority + thresholds.margin

    def used(self, thresholds: VerdictThresholds) -> bool:
        """Return whether answers are shown to need the concept: erasing it makes them worse."""
        test = self.effect.test
        worse = replace(test, difference=-test.difference, low=-test.high, high=-test.low)
        return self.after_low <= self.majority and thresholds.above(worse)


@dataclass(frozen=True)
class CausalEvidence:
    """All effects of a skill that causal facts use, by address in model order.

    Attributes
    ----------
    image : answers that change to the donor's answer with the donor's image tokens
    moved : answers that change in any way at the first address of ``image``
    restored : right answers restored in the donor's run with the item's own states
    erased : right answers when the skill's own concept is erased
    """

    image: dict[str, Effect]
    moved: Effect | None
    restored: dict[str, Effect]
    erased: dict[str, Erasure]

    @property
    def entry(self) -> Effect | None:
        """The effect of patching the image at the input of the language model."""
        return next(iter(self.image.values()), None)

    def horizon(self, thresholds: VerdictThresholds) -> str | None:
        """Return the last address at which patched image tokens still change the answer."""
        moving = [a for a, effect in self.image.items() if thresholds.above(effect.test)]
        return moving[-1] if moving else None

    def still(self, address: str, thresholds: VerdictThresholds) -> bool:
        """Return whether every patch after an address is shown to change less than the margin."""
        at = list(self.image)
        later = (self.image[one].test.high for one in at[at.index(address) + 1 :])
        return all(high < thresholds.margin for high in later)

    def held(self, thresholds: VerdictThresholds) -> list[str]:
        """Return the addresses at which the concept is decodable."""
        return [a for a, one in self.erased.items() if one.held(thresholds)]

    def used(self, thresholds: VerdictThresholds) -> list[str]:
        """Return the addresses at which erasing the concept is shown to make answers worse."""
        return [a for a, one in self.erased.items() if one.used(thresholds)]

    def unused(self, thresholds: VerdictThresholds) -> list[str]:
        """Return the addresses at which the concept is decodable but erasing it changes nothing."""
        return [a for a in self.held(thresholds) if self.erased[a].effect.equal]


def read_causal(effects: Path, model: str, dataset: str) -> dict[str, CausalEvidence]:
    """Return the causal evidence of every task that was answered under edits.

    The erasers are stored next to the effects.

    Raise a UserError if a table's model or dataset differs from its path.
    """
    erasers = effects.with_name("erasers.parquet")
    rows, fitted = (
        pl.DataFrame(read_table(path, of.names))
        for path, of in ((effects, EFFECTS), (erasers, ERASERS))
    )
    for path, table in ((effects, rows), (erasers, fitted)):
        for pair in table.select("model", "dataset").unique().rows():
            if pair != (model, dataset):
                raise UserError(
                    f"{path}: a row is about {' on '.join(pair)}, expected {model} on {dataset}"
                )
    rows = rows.filter(pl.col("address") != BEST)
    return {
        task: evidence(
            rows.filter(task=task).to_dicts(), fitted.filter(concept=task, control="").to_dicts()
        )
        for task in rows["task"].unique(maintain_order=True)
    }


def evidence(rows: Sequence[Row], fitted: Sequence[Row]) -> CausalEvidence:
    """Return the causal evidence of one task, from its effects and the erasers of its concept."""
    patched = [r for r in rows if r["intervention"] == "patch"]
    noise = [r for r in patched if (r["direction"], r["target"]) == (NOISE, "image")]
    image = by_address(r for r in noise if r["metric"] == TO_DONOR)
    moved = by_address(r for r in noise if r["metric"] == MOVED)
    erasers = {r["address"]: r for r in fitted if r["decodable_before"] is not None}
    erased = by_address(
        r
        for r in rows
        if r["intervention"] == "erase"
        and (r["concept"], r["metric"]) == (r["task"], RIGHT)
        and r["address"] in erasers
    )
    q = holm(np.array([one.test.p for part in (image, erased) for one in part.values()])).tolist()
    image = corrected(image, q[: len(image)])
    erased = corrected(erased, q[len(image) :])
    back = [r for r in patched if (r["direction"], r["metric"]) == (DENOISE, RIGHT)]
    return CausalEvidence(
        image,
        next(iter(moved.values()), None),
        {
            f"{span} {address}": one
            for span in ("image", "last")
            for address, one in by_address(r for r in back if r["target"] == span).items()
        },
        {a: Erasure(one, *_decoded(erasers[a])) for a, one in erased.items()},
    )


def by_address(rows: Iterable[Row]) -> dict[str, Effect]:
    """Return the effect at each address, in model order."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["address"], []).append(row)
    return {address: effect(found[address]) for address in sorted(found, key=sort_key)}


def effect(rows: Sequence[Row]) -> Effect:
    """Return the effect of one edit from its rows; there is one row per kind of control."""
    near = min(rows, key=lambda row: abs(row["difference"]))
    p = max(row["p"] for row in rows)
    test = Test(near["difference"], near["difference_low"], near["difference_high"], p, p)
    equal = all(row["equal"] for row in rows)
    shares = near["value"], near["ci_high"], near["control_value"]
    return Effect(test, *shares, equal, near["n"], near["groups"])


def corrected(found: dict[str, Effect], q: Sequence[float]) -> dict[str, Effect]:
    """Return the effects with their corrected p-values as q."""
    return {
        address: replace(one, test=replace(one.test, q=own))
        for (address, one), own in zip(found.items(), q, strict=True)
    }


def _decoded(row: Row) -> tuple[float, ...]:
    names = ("decodable_before", "before_low", "decodable_after", "after_low", "majority")
    return tuple(row[name] for name in names)
