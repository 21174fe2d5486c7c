"""A tiny results folder with the tables that notebooks read, in the real schemas."""

from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
from behavior_fixture import write_answers
from exam_fixture import write_verdicts
from readout_tables_fixture import write_readouts
from report_fixture import COLORS, ITEM_TASKS, write_dataset, write_probes

from eyechart.core.files import describe, write_json
from eyechart.core.randomness import generator
from eyechart.tables.activations import column
from eyechart.tables.attention import SUMMARY
from eyechart.tables.concepts import CUES
from eyechart.tables.interventions import EFFECTS
from eyechart.tables.pairs import PAIRS
from eyechart.tables.parquet import write_table
from eyechart.tables.saliency import IMAGE_USE
from eyechart.tables.saliency import SUMMARY as SALIENCY
from eyechart.tables.scores import CORRELATIONS, PATTERNS
from eyechart.tables.speed import SPEED
from eyechart.tables.tuning import TUNING

WIDTH, PICTURES, PARTS = 16, 60, 3
TOKENS = "vision.3/image_tokens"


def write_results(root: Path) -> Path:
    """Write all results of ``tiny_llava`` on ``clevr``; return the results folder."""
    write_dataset(root, PICTURES)
    write_probes(root, 40, 1, ["tiny_llava"])
    write_readouts(root, "tiny_llava", ["vision.0", "connector", "lm.norm"], answers=False)
    write_verdicts(root, 60)
    results = root / "results"
    items = pl.read_parquet(results / "datasets/clevr/items.parquet")
    write_answers(root, "tiny_llava", "clevr", items.to_dicts())
    write_activations(results, "item", items["item_id"].sort().to_list(), items)
    images = pl.read_parquet(results / "datasets/clevr/images.parquet")
    write_activations(results, "image", images["image_id"].sort().to_list(), items)
    for name, schema in (("concepts/tiny_llava/stroop/cues", CUES),
                         ("interventions/tiny_llava/clevr/effects", EFFECTS),
                         ("saliency/tiny_llava/clevr/summary", SALIENCY),
                         ("saliency/tiny_llava", IMAGE_USE), ("speed/tiny_llava", SPEED),
                         ("behavior/patterns/patterns", PATTERNS),
                         ("behavior/patterns/tiny_llava/correlations", CORRELATIONS),
                         ("mining/tiny_clip_against_tiny_dino/clevr/pairs", PAIRS),
                         ("tuning/tiny_llava", TUNING),
                         ("attention/tiny_llava/clevr/summary", SUMMARY)):  # fmt: skip
        row = dict.fromkeys(schema.names) | {"model": "tiny_llava", "dataset": name.split("/")[-2]}
        row |= {"task": "color"} if "task" in schema.names else {}
        write_table(results / f"{name}.parquet", pa.Table.from_pylist([row], schema))
    return results


def write_activations(results: Path, scope: str, ids: list[str], items: pl.DataFrame) -> None:
    """Write a manifest of several parts; ``lm.2/last`` encodes the colour that an item asks for."""
    folder = results / f"extraction/tiny_llava/clevr/{scope}"
    name = "lm.2/last" if scope == "item" else "connector/image_mean"
    values = vectors(ids, items)
    entries = []
    for number, rows in enumerate(np.array_split(np.arange(len(ids)), PARTS)):
        path = folder / f"part-{number:03d}.parquet"
        table = {f"{scope}_id": [ids[row] for row in rows], name: column(values[rows])}
        if scope == "image":
            kept = [values[row, None] + np.arange(2 + row % 2)[:, None] for row in rows]
            table |= {TOKENS: ragged(kept), "vision/places": ragged([k[:, :7] for k in kept])}
        write_table(path, pa.table(table))
        entries.append({**describe(path), "path": path.name, "rows": len(rows)})
    columns = [name] if scope == "item" else [name, TOKENS]
    note = {"model": "tiny_llava", "dataset": "clevr", "scope": scope, "rows": len(ids)}
    note["columns"] = [
        {"name": n, "address": n.split("/")[0], "span": n.split("/")[1], "width": WIDTH,
         "dtype": "float16"} for n in columns
    ]  # fmt: skip
    note["places"] = [{"name": "vision/places", "of": [TOKENS]}] if scope == "image" else []
    write_json(folder / "manifest.json", {**note, "parts": entries})


def vectors(ids: list[str], items: pl.DataFrame) -> np.ndarray:
    """Return float16 vectors (n, d) by id: noise plus the answers of items about colour."""
    answers = dict(items.filter(task="color").select("item_id", "answer").iter_rows())
    found = generator("fixture activations").normal(size=(len(ids), WIDTH))
    for row, name in enumerate(ids):
        if name in answers:
            found[row, COLORS.index(answers[name])] += 4
    return found.astype(np.float16)


def ragged(rows: list[np.ndarray]) -> pa.Array:
    """Return the Arrow column of arrays (t, d)."""
    offsets = np.cumsum([0, *map(len, rows)], dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), column(np.concatenate(rows)))


__all__ = ["ITEM_TASKS", "PARTS", "PICTURES", "TOKENS", "WIDTH", "vectors", "write_results"]
