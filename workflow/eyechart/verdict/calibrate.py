"""Measure how often the verdict is right, wrong or undecided on models with planted failures.

Reads: nothing. It writes items, readouts, probes and responses of planted models to a temporary
folder, runs the step ``decide`` on them, and compares the classes with the planted failures.
Writes: one row per scenario and number of items, and one for items answered in steps (--output);
the same as a Markdown table (--page) and as a figure (--figure)

    python -m eyechart.verdict.calibrate \
        --settings '{"alpha": 0.01, "margin": 0.1, "items": [60, 130, 300], "skills": 200,
                     "looks": [36, 72, 144, 216, 288, 400]}' \
        --seed 7 --output results/calibration.parquet --page results/calibration.md \
        --figure results/calibration.svg
"""

import json
import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import altair as alt
import polars as pl
import vl_convert

from eyechart.core import memory
from eyechart.core.address import READ
from eyechart.core.files import write_text
from eyechart.core.randomness import generator
from eyechart.core.step import Json, command
from eyechart.plan import paths
from eyechart.tables.looks import as_metadata, plan_looks, undecided
from eyechart.tables.parquet import read_table, write_table
from eyechart.tables.responses import ANSWERS
from eyechart.tables.verdict import CALIBRATION, UNDECIDED, parts, read_verdict
from eyechart.verdict import assemble, decide
from eyechart.verdict.planted import SCENARIOS, PlantedTables, Scenario, write_tables

Row = dict[str, Any]
OUTCOMES = ["right", "undecided", "wrong"]


def measure(name: str, n: int, settings: Row, seed: int, looks: Sequence[int] = ()) -> Row:
    """Return the ``CALIBRATION`` row for one planted scenario, from the classes of many skills.

    With ``looks``, items are answered in steps, continuing only for undecided skills.
    """
    case = SCENARIOS[name]
    tasks = {f"{i:03d}": n for i in range(settings["skills"])}
    rng = generator("calibration", seed, name, n)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        tables = write_tables(root, "planted", "drawn", case, tasks, rng)
        output = root / paths.VERDICT.at(model="planted")
        words = words_of(tables, case, "planted", output, settings, seed)
        for _ in answer_in_steps(tables, looks, parts(output)[1], seed) if looks else [None]:
            decide.main(words)
        found = read_verdict(output)
    classes = found.skills["verdict"]
    right = classes.is_in(case.right)
    wrong = ~right & (classes != UNDECIDED)
    return {
        "scenario": name,
        "expected": ", ".join(case.right),
        "choices": case.choices,
        "n": n,
        "looks": max(1, len(looks)),
        "answered": found.skills["n"].mean(),
        "skills": len(classes),
        "right": right.mean(),
        "undecided": (~right & ~wrong).mean(),
        "wrong": wrong.mean(),
        "wrong_classes": ", ".join(sorted(set(classes.filter(wrong)))),
        "coverage": None if looks else coverage(found.values),
        "rejected": None if looks else rejected(found.differences, case),
    }


def answer_in_steps(
    tables: PlantedTables, looks: Sequence[int], classes: Path, seed: int
) -> Iterator[int]:
    """Write the answers up to each look to the tables, and yield the look.

    The classes of a look must be written before the next look.
    """
    items = read_table(tables.items[0]).to_pylist()
    look_of, planned = plan_looks(items, looks, seed)
    every = {path: pl.DataFrame(read_table(path)) for path in tables.answers}
    tasks, answered = {item["task"] for item in items}, set()
    for look in range(len(looks)):
        now = [item for item in items if look_of[item["item_id"]] == look]
        answered |= {item["item_id"] for item in now if item["task"] in tasks}
        for path, table in every.items():
            known = table.filter(pl.col("item_id").is_in(answered)).to_arrow().cast(ANSWERS)
            write_table(path, known.replace_schema_metadata(as_metadata(planned)))
        yield look
        tasks = undecided(classes, "drawn")


def coverage(values: pl.DataFrame) -> float:
    """Return the share of intervals that contain the mean over all skills, a nearly exact value."""
    truth = pl.col("value").mean().over("stage")
    held = values.select((pl.col("ci_low") <= truth) & (truth <= pl.col("ci_high")))
    return float(held.to_series().mean())  # type: ignore[arg-type]


def rejected(differences: pl.DataFrame, case: Scenario) -> float | None:
    """Return the share of tests with p < 0.05 when nothing is planted, so all nulls are true."""
    if case.holds or case.response == "question" or not len(differences):
        return None
    return float((differences["p"] < 0.05).mean())  # type: ignore[arg-type]


def words_of(
    tables: PlantedTables, case: Scenario, model: str, output: Path, settings: Row, seed: int
) -> list[str]:
    """Return the command-line arguments of ``decide``."""
    full = {name: settings[name] for name in ("alpha", "margin")}
    full |= {"encoder": READ, "blind": "blank", "patterns": {}}
    words = ["--model", model, "--kind", case.kind, "--contains", "", "--card", str(tables.card)]
    for flag in ("items", "answers", "readouts", "probes"):
        words += [f"--{flag}", *map(str, getattr(tables, flag))]
    words += ["--encoder-items", "--encoder-answers", "--effects"]
    words += ["--settings", json.dumps(full), "--seed", str(seed)]
    for flag, path in zip(("output", "classes", "differences"), parts(output), strict=True):
        words += [f"--{flag}", str(path)]
    return words


def as_page(table: pl.DataFrame) -> str:
    """Return a Markdown table: one line per scenario, with right / undecided / wrong in percent."""
    once = table.filter(pl.col("looks") == 1)
    counts = once["n"].unique(maintain_order=True).to_list()
    most = max(table["n"].to_list())
    heads = ["planted", "right class", *(f"n = {n}" for n in counts), f"in steps to {most}"]
    heads += ["items answered in steps", "intervals that cover", "p < .05"]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for (name,), rows in table.group_by("scenario", maintain_order=True):
        cells = [
            " / ".join(f"{100 * row[share]:.1f}" for share in OUTCOMES) for row in rows.to_dicts()
        ]
        steps = rows.filter(pl.col("looks") > 1)["answered"].to_list()
        cells += [f"{steps[0]:.0f}"] if steps else ["–", "–"]
        for column in ("coverage", "rejected"):
            found = rows[column].drop_nulls().to_numpy()
            cells.append(f"{100 * found.mean():.1f}" if len(found) else "–")
        lines.append(f"| {name} | {rows['expected'][0]} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def as_figure(table: pl.DataFrame) -> str:
    """Return an SVG: bars of right, undecided and wrong by scenario and number of items."""
    number = pl.col("n").cast(pl.String)
    asked = pl.when(pl.col("looks") > 1).then(pl.lit("in steps")).otherwise(number)
    long = table.with_columns(asked=asked)
    rows = long.unpivot(OUTCOMES, index=["scenario", "asked"], variable_name="outcome").to_dicts()
    colors = alt.Scale(domain=OUTCOMES, range=["#009e73", "#d9d9d9", "#d55e00"])
    head = alt.Header(labelAngle=0, labelAlign="left")
    chart = (
        alt.Chart(alt.Data(values=rows))
        .transform_calculate(rank=f"indexof({json.dumps(OUTCOMES)}, datum.outcome)")
        .mark_bar()
        .encode(
            x=alt.X("value:Q", title="share of skills"),
            y=alt.Y(
                "asked:O", title=None, sort=long["asked"].unique(maintain_order=True).to_list()
            ),
            color=alt.Color("outcome:N", scale=colors, title=None),
            order="rank:Q",
            row=alt.Row("scenario:N", title=None, sort=list(SCENARIOS), header=head),
        )
        .properties(width=320, height=48)
    )
    memory.check_charts()
    return str(vl_convert.vegalite_to_svg(chart.to_dict()))


@command
def main(*, settings: Json, seed: int, output: Path, page: Path, figure: Path) -> None:
    """Run the step."""
    # otherwise it logs lines for every planted model
    logging.getLogger(assemble.__name__).setLevel(logging.WARNING)
    looks, rows = settings["looks"], []
    for name, case in SCENARIOS.items():
        rows += [measure(name, n, settings, seed) for n in settings["items"]]
        if case.kind != "encoder":  # the planted encoder does not answer
            rows.append(measure(name, looks[-1], settings, seed, looks))
    table = pl.DataFrame(rows, infer_schema_length=None)
    write_table(output, table.to_arrow().cast(CALIBRATION))
    write_text(page, as_page(table))
    write_text(figure, as_figure(table))


if __name__ == "__main__":
    main()
