"""Read finished results as arrays and data frames, for notebooks and scripts.

    from eyechart import results

    found = results.activations("tiny_llava", "clevr", "lm.2", "last")
    found.ids, found.matrix, found.labels
    results.probes(model="tiny_llava", dataset="clevr", task="color")

Every function reads the folder ``results`` of the working directory, or another ``root``. Tables
are polars data frames; docs/tables.md describes their columns, and docs/notebooks.md has examples.
"""

import polars as pl

from eyechart.core.errors import UserError, nearest
from eyechart.tables.activation_lookup import Activations, activations
from eyechart.tables.choice_scoring import OF_TEXT
from eyechart.tables.parquet import read_table
from eyechart.tables.response_arrays import rescore
from eyechart.tables.result_lookup import PATTERNS, ROOT, Root, find_one, read_all

Name = str | None
__all__ = [
    "Activations", "activations", "attention", "concepts", "image_use", "interventions", "pairs",
    "patterns", "probes", "readouts", "responses", "saliency", "scores", "speed", "tuning",
    "verdicts",
]  # fmt: skip


def probes(
    model: Name = None,
    dataset: Name = None,
    task: Name = None,
    *,
    predictions: bool = False,
    root: Root = ROOT,
) -> pl.DataFrame:
    """Return probe accuracies at every address and span, with their controls.

    With ``predictions``, return each probe's prediction for each test item instead. Without a
    model, dataset or task, all are returned.
    """
    kind = "probe predictions" if predictions else "probes"
    return read_all(kind, {"model": model, "dataset": dataset, "task": task}, root)


def responses(
    model: Name = None,
    dataset: Name = None,
    task: Name = None,
    *,
    condition: Name = None,
    scoring: Name = None,
    root: Root = ROOT,
) -> pl.DataFrame:
    """Return the models' responses to each item, with its task, group, choices and true answer.

    With ``scoring`` (``sum``, ``mean``, ``pmi``), answers are decided again from the stored
    numbers, except where the letters of choices, or images and texts, were compared.
    """
    which = {"model": model, "dataset": dataset, "condition": condition}
    found = read_all("responses", which, root)
    own = ["item_id", "task", "group", "choices", "answer"]
    tables = {d: find_one("items", {"dataset": d}, root) for d in found["dataset"].unique().sort()}
    items = [
        pl.DataFrame(read_table(path, own)).with_columns(dataset=pl.lit(dataset))
        for dataset, path in tables.items()
    ]
    if items:
        on = ["dataset", "item_id"]
        found = found.join(pl.concat(items), on=on, how="left", maintain_order="left")
    if scoring is not None:
        if scoring not in OF_TEXT:
            raise UserError(f"scoring is {scoring!r}; {nearest(scoring, OF_TEXT)}")
        again = found["scoring"].is_in(OF_TEXT).fill_null(False)
        texts = found.filter(again)
        chosen = [c[n] for c, n in zip(texts["choices"], rescore(texts, scoring), strict=True)]
        said = found["predicted"].scatter(again.arg_true(), chosen)
        how = pl.when(again).then(pl.lit(scoring)).otherwise("scoring")
        found = found.with_columns(predicted=said, scoring=how)
    return _of(found, "task", task, "responses")


def scores(
    model: Name = None,
    dataset: Name = None,
    task: Name = None,
    *,
    distributions: bool = False,
    root: Root = ROOT,
) -> pl.DataFrame:
    """Return scores by condition, task and metric, or how often each response is given."""
    kind = "distributions" if distributions else "scores"
    return _of(read_all(kind, {"model": model, "dataset": dataset}, root), "task", task, kind)


def readouts(
    model: Name = None,
    dataset: Name = None,
    task: Name = None,
    *,
    predictions: bool = False,
    root: Root = ROOT,
) -> pl.DataFrame:
    """Return the accuracy of readouts, or each of their predictions."""
    kind = "readout predictions" if predictions else "readouts"
    return _of(read_all(kind, {"model": model, "dataset": dataset}, root), "task", task, kind)


def patterns(model: Name = None, *, table: str = "patterns", root: Root = ROOT) -> pl.DataFrame:
    """Return accuracy by MMVP pattern, or the ``correlations`` between encoders and VLMs.

    With a model, return the results of only that model and its encoder.
    """
    kind = "patterns" if model is None else "patterns of a model"
    return read_all(kind, {"model": model, "table": table}, root)


def pairs(
    dataset: Name = None, *, first: Name = None, second: Name = None, root: Root = ROOT
) -> pl.DataFrame:
    """Return pairs of images that the first encoder finds similar and the second different."""
    return read_all("pairs", {"dataset": dataset, "first": first, "second": second}, root)


def concepts(
    model: Name = None, dataset: Name = None, *, table: str = "cues", root: Root = ROOT
) -> pl.DataFrame:
    """Return concept similarity: the table ``cues``, ``separation`` or ``projection``."""
    return read_all("concepts", {"model": model, "dataset": dataset, "table": table}, root)


def attention(
    model: Name = None,
    dataset: Name = None,
    task: Name = None,
    *,
    table: str = "summary",
    root: Root = ROOT,
) -> pl.DataFrame:
    """Return a table of attention: ``summary``, ``attention``, ``lens``, ``words`` or ``maps``."""
    named = {"model": model, "dataset": dataset, "table": table}
    return _of(read_all("attention", named, root), "task", task, "attention")


def interventions(
    model: Name = None, dataset: Name = None, *, table: str = "effects", root: Root = ROOT
) -> pl.DataFrame:
    """Return a table of interventions: ``effects``, ``edits`` or ``erasers``."""
    return read_all("interventions", {"model": model, "dataset": dataset, "table": table}, root)


def saliency(
    model: Name = None, dataset: Name = None, *, table: str = "summary", root: Root = ROOT
) -> pl.DataFrame:
    """Return a table of image saliency: ``summary``, ``curves``, ``maps`` or ``inputs``."""
    return read_all("saliency", {"model": model, "dataset": dataset, "table": table}, root)


def image_use(model: Name = None, *, root: Root = ROOT) -> pl.DataFrame:
    """Return whether each skill's answers depend on the image, over all datasets."""
    return read_all("image use", {"model": model}, root)


def speed(model: Name = None, *, root: Root = ROOT) -> pl.DataFrame:
    """Return the time and memory of a model by precision and batch size."""
    return read_all("speed", {"model": model}, root)


def tuning(model: Name = None, *, root: Root = ROOT) -> pl.DataFrame:
    """Return the gain of each arm from tuning."""
    return read_all("tuning", {"model": model}, root)


def verdicts(
    model: Name = None,
    dataset: Name = None,
    task: Name = None,
    *,
    table: str = "classes",
    root: Root = ROOT,
) -> pl.DataFrame:
    """Return the verdict on each skill: ``classes``, ``values`` by stage, or ``differences``.

    A skill is named by its task.
    """
    tables = [kind.split()[1] for kind in PATTERNS if kind.startswith("verdict ")]
    if table not in tables:
        raise UserError(f"verdicts: table is {table!r}; {nearest(table, tables)}")
    found = read_all(f"verdict {table}", {"model": model}, root)
    return _of(_of(found, "dataset", dataset, "verdicts"), "skill", task, "verdicts")


def _of(found: pl.DataFrame, column: str, value: str | None, kind: str) -> pl.DataFrame:
    """Return the rows with a value in a column; raise a UserError if there are none."""
    if value is None:
        return found
    if len(rows := found.filter(pl.col(column) == value)):
        return rows
    known = found[column].drop_nulls().unique()
    raise UserError(f"{kind}: {column} is {value!r}; {nearest(value, known)}")
