"""Token activations of one manifest: token positions, and the tokens of each image.

A column with the tokens of all images may not fit in memory, so it is read a few rows at a time.
"""

from collections.abc import Collection, Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from eyechart.core.address import OTHER, component, sort_key
from eyechart.core.errors import UserError
from eyechart.tables.activations import (
    PLACES,
    part_paths,
    read_column,
    read_ids,
    read_manifest,
    read_places,
)
from eyechart.tables.parquet import opened

TOKENS, CLS = "image_tokens", "cls"
BATCH_ROWS = 16  # rows


class ActivationSource:
    """The activations of one scope.

    Raise a UserError if the manifest belongs to another model or dataset, or has tokens without
    positions.

    Parameters
    ----------
    path : a manifest.json
    expected : ``model`` and ``dataset`` of the manifest
    """

    def __init__(self, path: Path, expected: dict[str, str]):
        self.path = path
        self.manifest = read_manifest(path)
        for field, value in expected.items():
            if self.manifest[field] != value:
                raise UserError(f"{path}: {field} is {self.manifest[field]!r}, expected {value!r}")
        self.scope: str = self.manifest["scope"]
        spans = [(c["address"], c["span"]) for c in self.manifest["columns"]]
        kept = [a for a, span in spans if span == TOKENS and component(a) != OTHER]
        self.addresses = sorted(kept, key=sort_key)
        self.cls_addresses = [address for address, span in spans if span == CLS]
        self._places: dict[str, list[np.ndarray]] = {}

    @cached_property
    def rows(self) -> dict[str, int]:
        """The row of each image (scope image) or item (scope item)."""
        return {name: row for row, name in enumerate(read_ids(self.path))}

    def places_name(self, address: str) -> str:
        """Return the name of the stored token positions of an address.

        The name is the address's component, except in models that drop tokens within a component.
        Raise a UserError if the positions are not stored.
        """
        name = f"{address}/{TOKENS}"
        for entry in self.manifest.get("places", []):
            if name in entry["of"]:
                return str(entry["name"]).removesuffix(f"/{PLACES}")
        raise UserError(
            f"{self.path}: no positions of the tokens of {name!r}, expected an entry for it "
            "under 'places'; extract the activations again"
        )

    def places_names(self) -> list[str]:
        """Return the names of all stored token positions, in the model's order."""
        return list(dict.fromkeys(self.places_name(address) for address in self.addresses))

    def places(self, places_name: str) -> list[np.ndarray]:
        """Load the token positions of each row, float32 (t, 7); see ``tables.activations``."""
        if places_name not in self._places:
            self._places[places_name] = read_places(self.path, places_name)
        return self._places[places_name]

    def vectors(self, address: str) -> np.ndarray:
        """Load the class tokens (span ``cls``) of all rows, float32 (n, d)."""
        return read_column(self.path, f"{address}/{CLS}")

    def stream(
        self, addresses: Sequence[str], wanted: Collection[int]
    ) -> Iterator[tuple[int, list[np.ndarray]]]:
        """Yield the tokens at some addresses, row by row.

        Raise a UserError if a value is not finite, or if the numbers of tokens and positions
        differ. Yields a row from ``wanted`` and its tokens (t, d) at each address, as stored.
        """
        names = [f"{address}/{TOKENS}" for address in addresses]
        counts = [[len(p) for p in self.places(self.places_name(address))] for address in addresses]
        first = 0
        for path in part_paths(self.path, self.manifest):
            with opened(path) as parquet:
                for row, columns, i in _rows(parquet, names, first, wanted):
                    skipped = zip(columns, names, counts, strict=True)
                    yield row, [self._row(c, i, (n, row, k[row])) for c, n, k in skipped]
                first += parquet.metadata.num_rows

    def _row(self, column: pa.ListArray, i: int, skipped: tuple[str, int, int]) -> np.ndarray:
        name, row, count = skipped
        values = column[i].values  # FixedSizeListArray of only the row's tokens
        flat = values.flatten().to_numpy(zero_copy_only=False)
        tokens = flat.reshape(len(values), -1) if len(values) else flat.reshape(0, 1)
        if len(tokens) != count:
            raise UserError(
                f"{self.path}: column {name!r}, row {row}: {len(tokens)} tokens, but "
                f"{count} places; extract the activations again"
            )
        if not np.isfinite(tokens).all():
            raise UserError(
                f"{self.path}: column {name!r}, row {row}: NaN or infinity, expected finite numbers"
            )
        return tokens


def _rows(
    parquet: pq.ParquetFile, names: list[str], first: int, wanted: Collection[int]
) -> Iterator[tuple[int, list[pa.ListArray], int]]:
    """Yield each wanted row's number, its batch of each column, and its index in the batch.

    Row groups without wanted rows are not read. ``first`` is the number of the file's first row.
    """
    for group in range(parquet.num_row_groups):
        end = first + parquet.metadata.row_group(group).num_rows
        if any(row in wanted for row in range(first, end)):
            start = first
            for batch in parquet.iter_batches(BATCH_ROWS, row_groups=[group], columns=names):
                columns = [batch.column(name) for name in names]
                for i in range(len(batch)):
                    if start + i in wanted:
                        yield start + i, columns, i
                start += len(batch)
        first = end
