"""Finished results as arrays and data frames, for notebooks and scripts.

    from eyechart import results

    found = results.activations("tiny_llava", "clevr", "lm.2", "last")
    found.ids, found.matrix, found.labels
    results.probes(model="tiny_llava", dataset="clevr", task="color")

Every function reads the folder ``results`` of the working directory, or another ``root``. Tables
are polars data frames; docs/tables.md describes their columns, docs/notebooks.md has examples.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from eyechart.core.errors import UserError, nearest
from eyechart.tables import activations as parts
from eyechart.tables.choice_scoring import OF_TEXT
from eyechart.tables.parquet import read_table
from eyechart.tables.response_arrays import rescore
from eyechart.tables.result_lookup import PATTERNS, Root, find, find_one, read_all

Name = str | None
ROOT = Path("results")
TOKENS = "image_tokens"


@dataclass(frozen=True)
class Activations:
    """Activations of a model at one address and span, a row per image or item.

    Attributes
    ----------
    model, dataset, address, span : str
    scope : str
        ``image``: they depend on the image alone; ``item``: on image and prompt.
    ids : list of ``image_id`` or ``item_id``, of each row
    vectors : list of ndarray, float32
        Of each row: shape (d,), or of the span ``image_tokens`` (t, d).
    labels : DataFrame
        The rows of images.parquet or items.parquet, in the order of ``ids``.
    places : list of ndarray, float32, shape (t, 7)
        Of the span ``image_tokens``: view, row, column, left, top, right and bottom of each token
        in pixels of its image; empty for other spans, and where places are not known.
    """

    model: str
    dataset: str
    address: str
    span: str
    scope: str
    ids: list[str]
    vectors: "np.ndarray | list[np.ndarray]"
    labels: pl.DataFrame
    places: list[np.ndarray]

    @property
    def matrix(self) -> np.ndarray:
        """Return the vectors as one array, float32, shape (n, d).

        Raise a UserError if every token was kept, so that rows have different lengths.
        """
        if isinstance(self.vectors, np.ndarray):
            return self.vectors
        raise UserError(
            f"{self.address}/{self.span} of {self.model} keeps every image token and is not a "
            "matrix; use vectors, a list of arrays (t, d)"
        )


def activations(
    model: str, dataset: str, address: str, span: str, *, root: Root = ROOT, check: bool = True
) -> Activations:
    """Return the activations of a model on a dataset at one address and span.

    Parameters
    ----------
    model, dataset : str
    address : str
        A layer, such as ``vision.3``, ``connector``, ``lm.12``, ``lm.norm``.
    span : str
        The tokens pooled there: ``cls``, ``image_mean``, ``text_mean``, ``last``, ``all_mean``,
        ``referent``, ``referent_center``, ``other_object`` (NaN where an item lacks it),
        or ``image_tokens``, of which each token is kept.
    root : str or Path
        The folder of results.
    check : bool
        Whether to compare the hash of every part with the manifest before reading.

    Raises
    ------
    UserError
        If there are no activations of the model, the dataset, the address or the span (the nearest
        name that there is is told), or a part is damaged.
    """
    name = f"{address}/{span}"
    known: dict[str, tuple[Path, str]] = {}
    for path, names in find("activations", {"model": model, "dataset": dataset}, root).items():
        columns = parts.read_manifest(path)["columns"]
        known |= {column["name"]: (path, names["scope"]) for column in columns}
    if name not in known:
        raise _no_column(model, dataset, address, span, list(known))
    manifest, scope = known[name]
    if check:
        parts.check_parts(manifest)
    ids = parts.read_ids(manifest)
    tokens = span == TOKENS
    read = parts.read_tokens if tokens else parts.read_column
    return Activations(
        model, dataset, address, span, scope, ids, read(manifest, name),
        _labels(dataset, scope, ids, root), _places(manifest, name) if tokens else [],
    )  # fmt: skip


def probes(
    model: Name = None,
    dataset: Name = None,
    task: Name = None,
    *,
    predictions: bool = False,
    root: Root = ROOT,
) -> pl.DataFrame:
    """Return how well probes do at every address and span, with their controls.

    ``predictions`` asks for what each probe predicts of each item of the test part instead.
    Without a model, dataset or task it is all that there are.
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
    """Return what models say to each item, with its task, group, choices and true answer.

    ``scoring`` (``sum``, ``mean``, ``pmi``) decides again from the stored numbers, except where the
    letters of choices, or images and texts, were compared.
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
    """Return how well responses do by condition, task and metric, or how often each is given."""
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
    """Return how well items are answered from representations alone, or each prediction."""
    kind = "readout predictions" if predictions else "readouts"
    return _of(read_all(kind, {"model": model, "dataset": dataset}, root), "task", task, kind)


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
    """Return what models attend to: ``summary``, ``attention``, ``lens``, ``words``, ``maps``."""
    named = {"model": model, "dataset": dataset, "table": table}
    return _of(read_all("attention", named, root), "task", task, "attention")


def interventions(
    model: Name = None, dataset: Name = None, *, table: str = "effects", root: Root = ROOT
) -> pl.DataFrame:
    """Return what answers depend on: the table ``effects``, ``edits`` or ``erasers``."""
    return read_all("interventions", {"model": model, "dataset": dataset, "table": table}, root)


def saliency(
    model: Name = None, dataset: Name = None, *, table: str = "summary", root: Root = ROOT
) -> pl.DataFrame:
    """Return the saliency of image tokens: ``summary``, ``curves``, ``maps`` or ``inputs``."""
    return read_all("saliency", {"model": model, "dataset": dataset, "table": table}, root)


def tuning(model: Name = None, *, root: Root = ROOT) -> pl.DataFrame:
    """Return what each arm gained from tuning."""
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


def _labels(dataset: str, scope: str, ids: list[str], root: Root) -> pl.DataFrame:
    key = parts.ID[scope]
    path = find_one(f"{scope}s", {"dataset": dataset}, root)
    table = pl.DataFrame(read_table(path))
    lost = set(ids) - set(table[key])
    if lost:
        raise UserError(
            f"{path}: {key} {min(lost)!r} is missing, of which there are activations; "
            f"make both again with 'snakemake --cores 2 --forcerun {path}'"
        )
    wanted = pl.DataFrame({key: ids}, schema={key: pl.String})
    return wanted.join(table, on=key, how="left", maintain_order="left")


def _places(manifest: Path, name: str) -> list[np.ndarray]:
    """Return where the tokens of a column lie; nothing where the manifest has no places of it."""
    entries = parts.read_manifest(manifest).get("places", [])
    if not any(name in entry["of"] for entry in entries):
        return []
    return parts.read_places(manifest, name.removesuffix(f"/{TOKENS}"))


def _no_column(model: str, dataset: str, address: str, span: str, names: list[str]) -> UserError:
    """Return the error of an address or span that was not extracted."""
    spans: dict[str, list[str]] = {}
    for name in names:
        at, _, own = name.partition("/")
        spans.setdefault(at, []).append(own)
    where = f"no activations of {model} on {dataset} at {address!r}"
    how = "to make more, name them under extraction.addresses and extraction.spans"
    if address not in spans:
        return UserError(f"{where}; {nearest(address, spans)}; {how}")
    return UserError(f"{where} with span {span!r}; {nearest(span, spans[address])}; {how}")


def _of(found: pl.DataFrame, column: str, value: str | None, kind: str) -> pl.DataFrame:
    """Return the rows with a value in a column; that there are none is an error."""
    if value is None:
        return found
    if len(rows := found.filter(pl.col(column) == value)):
        return rows
    known = found[column].drop_nulls().unique()
    raise UserError(f"{kind}: {column} is {value!r}; {nearest(value, known)}")
