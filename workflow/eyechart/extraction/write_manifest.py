"""Write the manifest of a scope's shards; as the last file, it certifies that they are complete.

Reads the shards, the model's card and the dataset's table for the scope. Writes manifest.json
next to the shards.

    python -m eyechart.extraction.write_manifest --model tiny_llava --dataset clevr --scope image \
        --card results/models/tiny_llava/card.json \
        --rows results/datasets/clevr/images.parquet \
        --parts results/extraction/tiny_llava/clevr/image/part-000.parquet \
        --settings "$SETTINGS" --output results/extraction/tiny_llava/clevr/image/manifest.json
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from eyechart.core import errors
from eyechart.core.files import describe, read_json, sha256, write_json
from eyechart.core.step import Json, command
from eyechart.models.addresses import columns
from eyechart.tables.activations import DROPPED, ID, PLACE, PLACES
from eyechart.tables.parquet import opened, read_notes, read_table

OWN = ("part", "parts", "model", "dataset", "scope")  # stored elsewhere in the manifest
KEPT = {"width": len(PLACE), "dtype": "float32"}


def build_manifest(
    facts: dict[str, str],
    card: dict[str, Any],
    rows: Path,
    parts: Sequence[Path],
    settings: dict[str, Any],
) -> dict[str, Any]:
    """Return the manifest of shards, after checking that they are complete and consistent.

    Raise a UserError if a shard has a different model, dataset, scope or setting, or if the ids of
    all shards are not exactly those of the dataset's table.

    Parameters
    ----------
    facts : ``model``, ``dataset`` and ``scope``
    rows : the dataset's table, with one row per row of the shards
    """
    asked = columns(card, settings["addresses"], settings["spans"], facts["scope"])
    name = ID[facts["scope"]]
    ids: list[str] = []
    rows_of: list[int] = []
    dropped: dict[str, str] = {}
    found: list[dict[str, Any]] = []
    for number, path in enumerate(parts):
        expected = facts | {"part": number, "parts": len(parts)}
        expected |= {field: settings[field] for field in ("prompt", "dtype", "batch_size")}
        found.append(_shard_facts(path, expected, [name, *(c.name for c in asked)]))
        own = read_table(path, [name]).column(name).to_pylist()
        ids, rows_of = [*ids, *own], [*rows_of, len(own)]
        dropped |= json.loads(read_notes(path).get(DROPPED.encode(), b"{}"))
    if sorted([*ids, *dropped]) != sorted(read_table(rows, [name]).column(name).to_pylist()):
        raise errors.UserError(f"{parts[0]}: the ids of all parts are not those of {rows}")
    if any(facts != found[0] for facts in found):
        raise errors.UserError(
            f"{parts[0]}: the parts were made on different devices or with different software; "
            "delete them and run again"
        )
    stages: dict[str, list[str]] = found[0].pop("places", {})
    return {
        **facts,
        "rows": len(ids),
        "dropped": dropped,
        "columns": [
            {
                "name": c.name,
                "address": c.address.address,
                "span": c.span,
                "width": c.address.width,
                "dtype": settings["dtype"],
            }
            for c in asked
        ],
        "places": [
            {"name": f"{stage}/{PLACES}", "of": columns, **KEPT}
            for stage, columns in sorted(stages.items())
        ],
        "parts": [
            {**describe(path), "path": path.name, "rows": count}
            for path, count in zip(parts, rows_of, strict=True)
        ],
        "provenance": {
            **found[0],
            "model_dtype": card["dtype"],
            "shares_prefix": card["shares_prefix"],
            "checkpoint": card["checkpoint"],
            "table": {"path": rows.name, "sha256": sha256(rows)},
        },
    }


def _shard_facts(path: Path, expected: dict[str, Any], columns: list[str]) -> dict[str, Any]:
    """Return a shard's metadata, after checking the expected fields."""
    with opened(path) as parquet:
        schema = parquet.schema_arrow
    facts: dict[str, Any] = json.loads((schema.metadata or {}).get(b"eyechart", b"{}"))
    located = facts.get("places", {})
    kept = [name for name in columns if name.endswith("/image_tokens")]
    if sorted(name for of in located.values() for name in of) != sorted(kept):
        raise errors.UserError(
            f"{path}: places are {located}, expected {kept}; delete it and run again"
        )
    columns = [*columns, *(f"{stage}/{PLACES}" for stage in sorted(located))]
    for field, value in [*expected.items(), ("columns", columns)]:
        said = schema.names if field == "columns" else facts.get(field)
        if said != value:
            raise errors.UserError(
                f"{path}: {field} is {said!r}, expected {value!r}; delete it and run again"
            )
    return {k: v for k, v in facts.items() if k not in OWN}


@command
def main(
    *,
    model: str,
    dataset: str,
    settings: Json,
    scope: Annotated[str, {"choices": list(ID)}],
    card: Path,
    rows: Path,
    output: Path,
    parts: list[Path],
) -> None:
    """Write one manifest."""
    facts = {"model": model, "dataset": dataset, "scope": scope}
    write_json(output, build_manifest(facts, read_json(card), rows, parts, settings))


if __name__ == "__main__":
    main()
