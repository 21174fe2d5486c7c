"""Compare vectors of coloured words with vectors of colours, to find the decisive cue.

Reads activations of a dataset in the layout ``stroop`` (manifests of scope image, item or both),
its tables and, if given, sighted responses. For every address and span, principal components are
fitted on the concept images only. With the first n of them (n = 0: the raw vectors), the nearest
colour of every word image is found in two ways: by cosine to the concepts' centroids, and by its
nearest neighbours' votes. Spans that store every token (``image_tokens``) are left out.
Writes the shares of cues, the separation of concepts and the projection of all images.

    python -m eyechart.concepts.compare --model tiny_llava --dataset stroop \
        --manifests results/extraction/tiny_llava/stroop/image/manifest.json \
            results/extraction/tiny_llava/stroop/item/manifest.json \
        --items results/datasets/stroop/items.parquet \
        --images results/datasets/stroop/images.parquet \
        --answers results/behavior/responses/tiny_llava/stroop/sighted.parquet \
        --settings '{"columns": ["*"], "components": 50, "neighbours": 5, "power": 1,
                     "shown": 5, "threshold": 0.8, "permutations": 100, "bootstrap": 1000}' \
        --seed 7 --cues results/concepts/tiny_llava/stroop/cues.parquet \
        --separation results/concepts/tiny_llava/stroop/separation.parquet \
        --projection results/concepts/tiny_llava/stroop/projection.parquet
"""

import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from eyechart.concepts.cues import Row, cue_rows, pool
from eyechart.concepts.responses import answer_rows, read_sighted
from eyechart.concepts.sweep import METHODS, Sweep, sweep
from eyechart.concepts.vectors import ImageSet, read_banks
from eyechart.core.errors import UserError
from eyechart.core.randomness import generator
from eyechart.core.step import Json, Paths, command
from eyechart.statistics.testing import benjamini_hochberg
from eyechart.tables.activations import read_column, read_ids, read_manifest
from eyechart.tables.concepts import ALL, CUES, PROJECTION, SEPARATION
from eyechart.tables.parquet import read_table, write_table

TOKENS = "image_tokens"
Rows = tuple[list[Row], list[Row], list[Row]]  # one list per table


def chosen_columns(manifest: dict[str, Any], patterns: list[str]) -> list[dict[str, Any]]:
    """Return the manifest's vector columns that match a pattern such as ``lm.*/last``."""
    return [
        column
        for column in manifest["columns"]
        if column["span"] != TOKENS and any(fnmatchcase(column["name"], p) for p in patterns)
    ]


def compare_column(
    vectors: np.ndarray, rows: list[tuple[np.ndarray, np.ndarray]], banks: list[ImageSet],
    settings: dict[str, Any], seed: int,
) -> Rows:  # fmt: skip
    """Return the rows for one address and span: per image set, and pooled over all sets.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
    rows : list of (words, concepts); each image set's row numbers in ``vectors``
    """
    cues: list[Row] = []
    separation: list[Row] = []
    projection: list[Row] = []
    sweeps = []
    for bank, (words, concepts) in zip(banks, rows, strict=True):
        found = sweep(vectors[words], vectors[concepts], bank, settings, seed)
        sweeps.append(found)
        cues += _cues([found], bank.prompt, bank.k, settings, seed)
        separation += [{"prompt": bank.prompt, **row} for row in found.separation]
        projection += _projection(found, bank, settings["shown"])
    if len(banks) > 1:
        cues += _cues(sweeps, ALL, banks[0].k, settings, seed)
    return cues, separation, projection


def _cues(
    sweeps: list[Sweep], prompt: str, k: int, settings: dict[str, Any], seed: int
) -> list[Row]:
    """Return the cue rows of pooled sweeps, for every n that all sweeps have."""
    r = min(found.components for found in sweeps)
    parts = [_first(found, r) for found in sweeps]
    named = [
        {"prompt": prompt, "method": method, "components": n}
        for method in METHODS
        for n in range(r + 1)
    ]
    rng = generator("concepts cues", seed)  # the same draws everywhere, to keep columns comparable
    return cue_rows(pool(parts), named, k, settings["bootstrap"], rng)


def _first(found: Sweep, r: int) -> Any:
    hits, s = found.hits, found.components + 1
    keep = np.concatenate([np.arange(r + 1) + start for start in range(0, len(METHODS) * s, s)])
    return type(hits)(hits.shares[keep], hits.congruent[keep], hits.groups, hits.congruent_groups)


def _projection(found: Sweep, bank: ImageSet, shown: int) -> list[Row]:
    """Return a row per image: its projection, and its nearest colour in ``shown`` components."""
    n = min(shown, found.components)
    rows = [*bank.words.iter_rows(named=True), *bank.concepts.iter_rows(named=True)]
    for i, row in enumerate(rows):
        row |= {"prompt": bank.prompt, "components": n}
        row["first"], row["second"] = found.coordinates[i].tolist()
        if i < len(bank.words):
            row["nearest"], row["voted"] = (bank.names[c] for c in found.found[:, n, i])
    return rows


def compare(
    manifests: list[Path],
    names: dict[str, str],
    banks: dict[str, list[ImageSet]],
    settings: dict[str, Any],
    seed: int,
) -> Iterator[tuple[Row, Rows]]:
    """Yield each manifest column's address, with its rows of the three tables."""
    for path in manifests:
        manifest = read_manifest(path)
        for field, name in names.items():
            if manifest[field] != name:
                raise UserError(f"{path}: {field} is {manifest[field]!r}, expected {name!r}")
        scope, ids = manifest["scope"], read_ids(path)
        own = banks[scope]
        rows = [bank.rows(ids, path) for bank in own]
        for column in chosen_columns(manifest, settings["columns"]):
            vectors = read_column(path, column["name"])
            place = {"scope": scope, "address": column["address"], "span": column["span"]}
            yield place, compare_column(vectors, rows, own, settings, seed)


def colors(items: Path) -> dict[str, list[int]]:
    """Load the sRGB values of the concepts that have one in the items, by name."""
    table = pl.DataFrame(read_table(items, ["task", "answer", "meta"]))
    own = table.filter(pl.col("task") == "concept").unique("answer", keep="first")
    known = {answer: json.loads(meta).get("rgb") for _, answer, meta in own.iter_rows()}
    return {name: rgb for name, rgb in known.items() if rgb}


def write(path: Path, rows: list[Row], schema: pa.Schema, shared: Row) -> None:
    """Write rows with added columns that all of them share; missing values are null."""
    empty = dict.fromkeys(schema.names)
    write_table(path, pa.Table.from_pylist([{**empty, **shared, **row} for row in rows], schema))


@command
def main(
    *,
    model: str,
    dataset: str,
    manifests: list[Path],
    items: Path,
    images: Path,
    answers: Paths,
    settings: Json,
    seed: int,
    cues: Path,
    separation: Path,
    projection: Path,
) -> None:
    """Run the step."""
    shared = {"model": model, "dataset": dataset}
    banks = read_banks(items, images)
    tables: Rows = ([], [], [])
    for place, found in compare(manifests, shared, banks, settings, seed):
        for table, rows in zip(tables, found, strict=True):
            table += [{**place, **row} for row in rows]
    if not tables[0]:
        raise UserError(
            f"concepts.columns is {settings['columns']}, which matches no column of "
            f"{', '.join(map(str, manifests))}"
        )
    of_cues, of_separation, of_projection = tables
    for path in answers:
        sighted = read_sighted(path, model, dataset)
        of_cues += answer_rows(sighted, banks["item"], path, settings["bootstrap"], (seed,))
    tested = [row for row in of_cues if "p" in row]
    q = benjamini_hochberg(np.array([row["p"] for row in tested]))
    for row, value in zip(tested, q.tolist(), strict=True):
        row["q"] = value
    rgb = colors(items)
    for row in of_projection:
        row["rgb"] = rgb.get(row.get("concept") or row["font"])
    write(cues, of_cues, CUES, shared)
    write(separation, of_separation, SEPARATION, shared)
    write(projection, of_projection, PROJECTION, shared)


if __name__ == "__main__":
    main()
