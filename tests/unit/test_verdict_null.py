"""From probes to classes under the null: shuffled activations and random answers."""

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
import torch
from test_probing_reference import COLUMNS, TASKS, stored
from verdict_fixture import OUT, flags, read

from eyechart.core.randomness import generator
from eyechart.probing import search
from eyechart.probing.examples import Examples
from eyechart.probing.results import Outcome, tabulate
from eyechart.probing.train_probes import plan_of
from eyechart.tables.choice_scoring import SIMILARITY
from eyechart.tables.items import ITEMS
from eyechart.tables.parquet import write_table
from eyechart.tables.responses import ANSWERS
from eyechart.verdict import decide

# The address and span of each stage, and the stored column that is used for it
STAGES = {
    ("vision.2", "referent_center"): COLUMNS[0],
    ("connector", "referent_center"): COLUMNS[1],
    ("lm.0", "referent_center"): COLUMNS[2],
    ("lm.3", "last"): COLUMNS[2],
}
SHUFFLES = 50  # per task


def write_skills(root: Path, task: str) -> tuple[list[Path], list[dict[str, object]]]:
    """Write the probes of a task on shuffled activations; return their paths and the test items.

    Groups keep their labels but swap activations, with a different permutation in every table.
    """
    x = {column: stored(column, task)[0] for column in set(STAGES.values())}
    _, y, groups, train = stored(COLUMNS[0], task)
    names = [f"c{k}" for k in range(y.max() + 1)]
    examples = Examples(groups.tolist(), y, names, groups, groups, train)
    plan = plan_of(examples, task, 7, 1, 3)
    orders = [generator("null", task, i).permutation(len(y)) for i in range(SHUFFLES)]
    inputs = [torch.from_numpy(x[c][order]) for order in orders for c in STAGES.values()]
    choices = search.cross_validate(inputs, plan, len(names), 0)
    fits = search.refit(inputs, plan, choices, len(names), 0)
    paths, items = [], []
    for i in range(SHUFFLES):
        skill, own = f"{task}_{i:02}", slice(i * len(STAGES), (i + 1) * len(STAGES))
        found = [
            Outcome({"address": address, "span": span}, "linear", choice, fit)
            for (address, span), choice, fit in zip(STAGES, choices[own], fits[own], strict=True)
        ]
        named = {"model": "m", "dataset": "drawn", "task": skill, "scope": "item"}
        metrics, predicted = tabulate(found, examples, plan, named, 100, 7)
        ids = pa.array([f"{skill}-{one}" for one in predicted["id"].to_pylist()])
        paths.append(root / f"results/probing/m/drawn/{skill}.parquet")
        write_table(paths[-1], metrics)
        predicted = predicted.set_column(predicted.column_names.index("id"), "id", ids)
        write_table(paths[-1].with_suffix(".predictions.parquet"), predicted)
        items += [
            {"item_id": f"{skill}-{group}", "group": f"{skill}-{group}", "answer": names[k],
             "choices": names, "task": skill}
            for group, k in zip(groups[~train], y[~train], strict=True)
        ]  # fmt: skip
    return paths, items


def write(path: Path, schema: pa.Schema, rows: list[dict[str, object]]) -> Path:
    full = [dict.fromkeys(schema.names) | row for row in rows]
    write_table(path, pa.Table.from_pylist(full, schema).sort_by("item_id"))
    return path


@pytest.mark.slow
def test_shuffled_activations_and_random_answers_show_no_loss(tmp_path):
    written = [write_skills(tmp_path, task) for task in TASKS]
    items = [item for _, own in written for item in own]
    common = {"images": ["i"], "prompt": "Which?", "type": "t", "meta": "{}"}
    common |= {"split": "val", "group_split": "test"}
    table = write(
        tmp_path / "results/datasets/drawn/items.parquet", ITEMS, [common | i for i in items]
    )
    answers, draw = [], generator("null", "answers")
    for condition in ("sighted", "blank"):
        said = [
            {"item_id": i["item_id"], "predicted": draw.choice(i["choices"]), "order": 0,
             "model": "m", "dataset": "drawn", "condition": condition, "scoring": SIMILARITY}
            for i in items
        ]  # fmt: skip
        path = tmp_path / f"results/behavior/responses/m/drawn/{condition}.parquet"
        answers.append(write(path, ANSWERS, said))
    probes = [path for paths, _ in written for path in paths]
    decide.main(flags(tmp_path, items=[table], answers=answers, probes=probes))
    rows = read(tmp_path / OUT)
    found = Counter(row["verdict"] for row in rows)
    assert found.total() == len(TASKS) * SHUFFLES == 200
    assert sum(found[name] for name in ("prior", "undecided", "not_encoded")) >= 198, found
    assert found["not_encoded"] > 0
    stages = ("encoder", "connector", "lm_best", "position_best", "sighted", "blind")
    assert all(row[f"{stage}_value"] is not None for row in rows for stage in stages)
