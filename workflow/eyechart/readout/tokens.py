"""Token activations of one manifest: where the tokens lie, and the tokens picture by picture.

A column of tokens of all pictures may be larger than memory, so it is read a few rows at a time.
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

TOKENS, CLS = "image_tokens", "cls"
AT_ONCE = 16  # rows


class ActivationSource:
    """The activations of one scope.

    Parameters
    ----------
    path : Path
        A manifest.json.
    expected : dict
        ``model`` and ``dataset``, which the manifest must be of.

    Raises
    ------
    UserError
        If it is of another model or dataset, or has tokens without their places.
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
        self.with_cls = [address for address, span in spans if span == CLS]
        self._places: dict[str, list[np.ndarray]] = {}

    @cached_property
    def rows(self) -> dict[str, int]:
        """Return the row of each picture (scope image) or item (scope item)."""
        return {name: row for row, name in enumerate(read_ids(self.path))}

    def stage(self, address: str) -> str:
        """Return the name under which it is kept where the tokens of an address lie.

        That is the address's component, but for models that drop tokens on the way through one.

        Raises
        ------
        UserError
            If it is not kept.
        """
        name = f"{address}/{TOKENS}"
        for entry in self.manifest.get("places", []):
            if name in entry["of"]:
                return str(entry["name"]).removesuffix(f"/{PLACES}")
        raise UserError(
            f"{self.path}: nothing says where the tokens of {name!r} lie, expected an entry of it "
            "under 'places'; extract the activations again"
        )

    def stages(self) -> list[str]:
        """Return the stages that have tokens, in the order of the model."""
        return list(dict.fromkeys(self.stage(address) for address in self.addresses))

    def places(self, stage: str) -> list[np.ndarray]:
        """Return where the tokens of each row lie, float32 (t, 7): see ``tables.activations``."""
        if stage not in self._places:
            self._places[stage] = read_places(self.path, stage)
        return self._places[stage]

    def vectors(self, address: str) -> np.ndarray:
        """Return the ``cls`` of all rows, float32 (n, d)."""
        return read_column(self.path, f"{address}/{CLS}")

    def stream(
        self, addresses: Sequence[str], wanted: Collection[int]
    ) -> Iterator[tuple[int, list[np.ndarray]]]:
        """Yield row by row the tokens at some addresses.

        Yields
        ------
        tuple of int and list of ndarray, as stored, shape (t, d)
            The row, one of ``wanted``, and its tokens at each address.

        Raises
        ------
        UserError
            If a value is not finite, or there are more or fewer tokens than places.
        """
        names = [f"{address}/{TOKENS}" for address in addresses]
        counts = [[len(p) for p in self.places(self.stage(address))] for address in addresses]
        first = 0
        for path in part_paths(self.path, self.manifest):
            parquet = _open(path)
            for group in range(parquet.num_row_groups):
                end = first + parquet.metadata.row_group(group).num_rows
                if any(row in wanted for row in range(first, end)):
                    batches = parquet.iter_batches(AT_ONCE, row_groups=[group], columns=names)
                    for row, columns, i in _rows(batches, names, first):
                        if row in wanted:
                            told = zip(columns, names, counts, strict=True)
                            yield row, [self._row(c, i, (n, row, k[row])) for c, n, k in told]
                first = end

    def _row(self, column: pa.ListArray, i: int, told: tuple[str, int, int]) -> np.ndarray:
        name, row, count = told
        values = column[i].values  # FixedSizeListArray of the row's tokens alone
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
    batches: Iterator[pa.RecordBatch], names: list[str], first: int
) -> Iterator[tuple[int, list[pa.ListArray], int]]:
    for batch in batches:
        columns = [batch.column(name) for name in names]
        for i in range(len(batch)):
            yield first + i, columns, i
        first += len(batch)


def _open(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(
            f"{path}: not a whole Parquet file ({error}); delete it and run again"
        ) from None
