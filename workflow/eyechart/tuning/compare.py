"""Compare a model's arms by the gain from tuning over the same tuning on white images.

Reads the tables of answers of all arms, and the tables of readouts. Writes one row per task, arm,
kind of data and seed, and one over all seeds; q is corrected over the table. Training on white
images can do harm, or teach answers that apply only to white images, so a gain must also hold
against the model before tuning and against the tuned model's answers to white images. A task is
adaptable at a component if that component's arm gains accuracy, and also does better than its other
controls and the arms of all other components.

    python -m eyechart.tuning.compare --model tiny_llava_aligned \
        --settings '{"alpha": 0.01}' --readouts --answers \
        results/tuning/tiny_llava_aligned/clevr/material/lora_lm/answers.parquet \
        --output results/tuning/tiny_llava_aligned.parquet
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from eyechart.core.step import Json, Paths, command
from eyechart.statistics.intervals import mean_interval, paired_interval
from eyechart.statistics.sign_flip import sign_flip_exact, sign_flip_normal
from eyechart.statistics.testing import benjamini_hochberg
from eyechart.tables.conditions import BLANK, SHUFFLED, TRUE
from eyechart.tables.parquet import read_table, write_table
from eyechart.tables.readouts import READOUTS
from eyechart.tables.readouts import SHUFFLED as OF_TOKENS
from eyechart.tables.tuning import BEFORE, ON_BLANK, TUNED, TUNING
from eyechart.tuning.registry import LORA

MANY = 500  # number of groups from which the normal approximation replaces the exact distribution
ARM = ["tuned_on", "tuned_task", "arm"]
Row = dict[str, Any]
Shares = Mapping[str, pl.DataFrame]  # by kind of data, items with their shares of right answers


def part_of(arm: str) -> str:
    """Return the component that an arm tunes, or ``prompt`` for embeddings."""
    return LORA[arm][0] if arm in LORA else "prompt"


def compared(answers: pl.DataFrame, best: Mapping[tuple[str, str], float]) -> list[Row]:
    """Return the rows of all arms without q; ``best`` is the accuracy of the best readouts."""
    rows = []
    for key, arm in answers.group_by(ARM, maintain_order=True):
        named = {**dict(zip(("dataset", "task", "arm"), key, strict=True)), "part": part_of(key[2])}
        named |= {name: arm[name][0] for name in ("model", "parameters", "steps", "learning_rate")}
        seeds = sorted(arm["seed"].drop_nulls().unique())
        for seed in [*seeds, None]:
            own = (
                arm
                if seed is None
                else arm.filter(pl.col("seed").is_null() | (pl.col("seed") == seed))
            )
            rows += [named | row for row in of_seed(own, seed, best.get(key[:2]))]
    return rows


def of_seed(arm: pl.DataFrame, seed: int | None, best: float | None) -> Iterator[Row]:
    """Yield an arm's rows for the trainings with one seed, or for the mean over all seeds."""
    own = (pl.col("dataset") == pl.col("tuned_on")) & (pl.col("task") == pl.col("tuned_task"))
    on, off = (shares(arm.filter(which)) for which in (own, ~own))
    for data in [name for name in on if name not in (BEFORE, ON_BLANK)]:
        before, after, groups = paired(on[BEFORE], on[data])
        low, high = paired_interval(after, before, groups)
        row = {
            **{"data": data, "seed": seed, "n": len(after), "groups": len(np.unique(groups))},
            **{"before": before.mean(), "after": after.mean(), "lift_low": low, "lift_high": high},
            "tv_before": total_variation(arm.filter(own, data=BEFORE)),
            "tv_after": total_variation(arm.filter(own, data=data)),
            **forgotten(off, data),
            **attention_moved(arm.filter(own, pl.col("region_mass").is_not_null()), data),
        }
        if best is not None and best > before.mean():
            row["closed"] = (after.mean() - before.mean()) / (best - before.mean())
        yield row | (gained(on) if data == TRUE else {})


def shares(answers: pl.DataFrame, column: str = "right") -> dict[str, pl.DataFrame]:
    """Return each item's share of trainings with a right answer, by kind of data.

    For another column, return its mean over trainings under the same name.
    """
    right = pl.col(column).cast(pl.Float64)
    found = answers.group_by("data", "dataset", "item_id", "group").agg(
        right=right.mean(), draws=pl.len()
    )
    kinds = answers["data"].unique(maintain_order=True)
    return {kind: found.filter(data=kind).sort("dataset", "item_id") for kind in kinds}


def paired(first: pl.DataFrame, second: pl.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return both tables' shares on the same items, and the items' groups."""
    joined = first.join(second, on=["dataset", "item_id"], maintain_order="left")
    names = (joined["dataset"] + "/" + joined["group"]).to_numpy()
    return joined["right"].to_numpy(), joined["right_right"].to_numpy(), names


def difference(first: pl.DataFrame, second: pl.DataFrame) -> tuple[float, float, float, float]:
    """Return the mean of first minus second, both ends of its interval and p, by group."""
    one, other, groups = paired(first, second)
    low, high = paired_interval(one, other, groups)
    if len(np.unique(groups)) < MANY:
        draws = np.lcm(int(first["draws"].max()), int(second["draws"].max()))  # type: ignore[arg-type]
        p = sign_flip_exact(one, other, groups, int(draws))
    else:
        p = sign_flip_normal(one, other, groups)
    return float((one - other).mean()), low, high, p


def gained(on: Shares) -> Row:
    """Return the columns that compare training on true data with the controls."""
    found: Row = {}
    if BLANK in on:
        controls = [on[name] for name in (BLANK, ON_BLANK, BEFORE) if name in on]
        over = [difference(on[TRUE], control) for control in controls]
        names = ("gain", "gain_low", "gain_high")
        found |= dict(zip(names, min(over)[:3], strict=True)) | {"p": max(p for *_, p in over)}
    if SHUFFLED in on:
        more, _, _, p = difference(on[TRUE], on[SHUFFLED])
        found |= {"over_shuffled": more, "p_shuffled": p}
    return found


def forgotten(off: Shares, data: str) -> Row:
    """Return a tuned model's losses on other tasks; empty if no items of these were answered."""
    if data not in off:
        return {}
    lost, low, high, _ = difference(off[BEFORE], off[data])
    names = ("forgotten", "forgotten_low", "forgotten_high", "other_n")
    return dict(zip(names, (lost, low, high, len(off[data])), strict=True))


def attention_moved(measured: pl.DataFrame, data: str) -> Row:
    """Return the change of attention to marked regions; empty if it was not measured."""
    mass = shares(measured, "region_mass")
    if data not in mass:
        return {}
    before, after, groups = paired(mass[BEFORE], mass[data])
    low, high = mean_interval(after - before, groups)
    names = ("mass_before", "mass_after", "mass_low", "mass_high")
    return dict(zip(names, (float(before.mean()), float(after.mean()), low, high), strict=True))


def total_variation(answers: pl.DataFrame) -> float:
    """Return the total variation distance between right and chosen positions' distributions."""
    counts = [answers[name].value_counts(normalize=True) for name in ("truth", "chosen")]
    true, said = (dict(zip(*c.get_columns(), strict=True)) for c in counts)
    return sum(abs(true.get(k, 0.0) - said.get(k, 0.0)) for k in {*true, *said}) / 2


def others(answers: pl.DataFrame) -> dict[tuple[str, str, str], tuple[float, float]]:
    """Return each component's smallest difference from the others, and the largest p.

    Keys are dataset, task and component. Trainings on true data are compared as means over seeds.
    """
    tuned = (pl.col("dataset") == pl.col("tuned_on")) & (pl.col("task") == pl.col("tuned_task"))
    found = {}
    for key, task in answers.filter(tuned, data=TRUE).group_by(ARM[:2], maintain_order=True):
        arms = {a: shares(task.filter(arm=a))[TRUE] for a in task["arm"].unique() if a in LORA}
        for name, own in arms.items():
            each = [difference(own, other) for n, other in arms.items() if n != name]
            if each:
                found[*key, name] = min(d for d, *_ in each), max(p for *_, p in each)
    return found


def adaptable(row: Row, alpha: float) -> bool | None:
    """Return whether a task is adaptable at an arm's component, or None if this is not tested.

    The arm must beat every trained control; the blank control and another component's arm are
    required.
    """
    needed = [row.get(name) for name in ("gain", "over_others")]
    if row["arm"] not in LORA or row["seed"] is not None or any(v is None for v in needed):
        return None
    over = [*needed, row.get("over_shuffled", 1.0)]
    p = [row["q"], row["p_others"], row.get("p_shuffled", 0.0)]
    return all(value > 0 for value in over) and all(value < alpha for value in p)


def best_readouts(paths: list[Path]) -> dict[tuple[str, str], float]:
    """Return the accuracy of the best readout at any address, by dataset and task."""
    frames = [pl.DataFrame(read_table(path, READOUTS.names)) for path in paths]
    found: dict[tuple[str, str], float] = {}
    for row in (row for frame in frames for row in frame.iter_rows(named=True)):
        if not row["readout"].endswith(OF_TOKENS) and row["value"] is not None:
            key = row["dataset"], row["task"]
            found[key] = max(row["value"], found.get(key, 0.0))
    return found


def judged(answers: pl.DataFrame, best: Mapping[tuple[str, str], float], alpha: float) -> list[Row]:
    """Return all arms' rows, with q, comparisons with other components, and adaptability."""
    rows, rivals = compared(answers, best), others(answers)
    tested = [row for row in rows if "p" in row]
    q = benjamini_hochberg(np.array([row["p"] for row in tested]))
    for row, own in zip(tested, q, strict=True):
        row["q"] = float(own)
        over = rivals.get((row["dataset"], row["task"], row["arm"]))
        if row["seed"] is None and over:
            row |= {"over_others": over[0], "p_others": over[1]}
        row["adaptable"] = adaptable(row, alpha)
    return rows


@command
def main(*, model: str, settings: Json, answers: list[Path], readouts: Paths, output: Path) -> None:
    """Write the table."""
    table = pl.concat([pl.DataFrame(read_table(path, TUNED.names)) for path in answers])
    rows = judged(table, best_readouts(readouts), settings["alpha"])
    write_table(output, pa.Table.from_pylist([{"model": model} | r for r in rows], TUNING))


if __name__ == "__main__":
    main()
