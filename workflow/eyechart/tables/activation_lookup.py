"""Lookup of activations: arrays with the matching rows of items or images."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from eyechart.core.errors import UserError, nearest
from eyechart.tables import activations as parts
from eyechart.tables.parquet import read_table
from eyechart.tables.result_lookup import ROOT, Root, find, find_one

TOKENS = "image_tokens"


@dataclass(frozen=True)
class Activations:
    """Activations of a model at one address and span, one row per image or item.

    Attributes
    ----------
    scope : ``image`` if they depend on the image alone, ``item`` if they depend on image and prompt
    ids : list of str; the ``image_id`` or ``item_id`` of each row
    vectors : list of ndarray, float32; one per row, shape (d,), or (t, d) for the span
        ``image_tokens``
    labels : the rows of images.parquet or items.parquet, in the order of ``ids``
    places : list of ndarray, float32, shape (t, 7); for the span ``image_tokens``: view, row,
        column, left, top, right and bottom of each token in pixels of its image; empty for other
        spans, and if positions are unknown
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

        Raise a UserError if every token was kept, because rows then differ in length.
        """
        if isinstance(self.vectors, np.ndarray):
            return self.vectors
        raise UserError(
            f"{self.address}/{self.span} of {self.model} keeps every image token and is not a "
            "matrix; use vectors, a list of arrays of shape (t, d)"
        )


def activations(
    model: str, dataset: str, address: str, span: str, *, root: Root = ROOT, check: bool = True
) -> Activations:
    """Return the activations of a model on a dataset at one address and span.

    Raise a UserError if there are no activations for the model, dataset, address or span (the error
    names the nearest existing one), or if a part is damaged.

    Parameters
    ----------
    address : a layer, such as ``vision.3``, ``connector``, ``lm.12``, ``lm.norm``
    span : the tokens pooled there: ``cls``, ``image_mean``, ``text_mean``, ``last``, ``all_mean``,
        ``referent``, ``referent_center``, ``other_object`` (NaN if an item lacks it), or
        ``image_tokens``, which keeps each token
    root : str or Path; the folder of results
    check : whether to compare the hash of every part with the manifest before reading
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


def _labels(dataset: str, scope: str, ids: list[str], root: Root) -> pl.DataFrame:
    key = parts.ID[scope]
    path = find_one(f"{scope}s", {"dataset": dataset}, root)
    table = pl.DataFrame(read_table(path))
    lost = set(ids) - set(table[key])
    if lost:
        raise UserError(
            f"{path}: {key} {min(lost)!r} is missing, but there are activations of it; recreate "
            f"both with 'snakemake --cores 2 --forcerun {path}'"
        )
    wanted = pl.DataFrame({key: ids}, schema={key: pl.String})
    return wanted.join(table, on=key, how="left", maintain_order="left")


def _places(manifest: Path, name: str) -> list[np.ndarray]:
    """Return the positions of a column's tokens, or nothing if the manifest has none."""
    entries = parts.read_manifest(manifest).get("places", [])
    if not any(name in entry["of"] for entry in entries):
        return []
    return parts.read_places(manifest, name.removesuffix(f"/{TOKENS}"))


def _no_column(model: str, dataset: str, address: str, span: str, names: list[str]) -> UserError:
    """Return the error about an address or span that was not extracted."""
    spans: dict[str, list[str]] = {}
    for name in names:
        at, _, own = name.partition("/")
        spans.setdefault(at, []).append(own)
    where = f"no activations of {model} on {dataset} at {address!r}"
    how = "to extract more, add them to extraction.addresses and extraction.spans"
    if address not in spans:
        return UserError(f"{where}; {nearest(address, spans)}; {how}")
    return UserError(f"{where} with span {span!r}; {nearest(span, spans[address])}; {how}")
