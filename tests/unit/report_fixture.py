"""Results of two invented models on an invented dataset, in the schemas of the real tables.

All stored metrics are computed from the stored predictions, so the tables agree.
"""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
from behavior_fixture import write_behaviour
from exam_fixture import write_verdicts
from PIL import Image, ImageDraw
from readout_tables_fixture import write_readouts
from scipy import stats

from eyechart.core.files import write_json
from eyechart.core.randomness import generator
from eyechart.plan.config.report import DRAWN
from eyechart.plan.paths import CONFIGURATION
from eyechart.report.registry import SECTIONS
from eyechart.tables.items import ITEMS, images_schema
from eyechart.tables.parquet import write_table
from eyechart.tables.probes import PREDICTIONS, PROBES

COLORS = ["gray", "red", "blue", "green", "brown", "purple", "cyan", "yellow"]
ITEM_TASKS = {
    "color": COLORS,
    "shape": ["cube", "cylinder", "sphere"],
    "material": ["metal", "rubber"],
    "size": ["large", "small"],
    "number": ["0", "1", "2", "3", "10"],
    "boolean": ["no", "yes"],
}
IMAGE_TASKS = {
    "objects": ["1", "2", "3"],
    "has_red": ["no", "yes"],
    "has_metal": ["no", "yes"],
    "has_sphere": ["no", "yes"],
    "has_large": ["no", "yes"],
    "majority_shape": ["cube", "cylinder", "</script><b>sphere"],  # labels are data, not markup
}
VISION = [f"vision.{i}" for i in range(4)]
LM = [f"lm.{i}" for i in range(4)] + ["lm.norm"]
COLUMNS = {
    ("tiny_llava", "item"): [(a, s) for a in LM for s in ("text_mean", "last", "all_mean")],
    ("tiny_llava", "image"): [(a, s) for a in VISION for s in ("cls", "image_mean")]
    + [("connector", "image_mean")]
    + [(a, "image_mean") for a in LM],
    ("tiny_clip", "image"): [(a, s) for a in VISION for s in ("cls", "image_mean")]
    + [("connector", "cls")],
}
SETTINGS = {
    "title": "Eye exam of the tiny models",
    "seed": 0,
    "split": "group",
    "gallery": 6,
    "gallery_px": 160,
    "unprobed": {},
    "alpha": 0.01,
    "selectivity": 0.10,
    "curve_points": 200,
    "png_scale": 1,
    "megabytes": 10,
    "differing": 4,
    "maps": 2,
    "map_layers": 3,
    "figures": DRAWN,
}


def knowledge(task: str, address: str, span: str) -> float:
    """Return the invented share of a task's answers that a column encodes, from 0 to 1."""
    depth = [*VISION, "connector", *LM].index(address)
    hard = {"boolean": 0.02, "number": 0.35, "shape": 0.5, "majority_shape": 0.3}.get(task, 0.8)
    if task in ITEM_TASKS:
        rise = min(1.0, (depth - 4) / 4)
        return hard * rise * {"last": 1.0, "all_mean": 0.6, "text_mean": 0.3}[span]
    rise = min(1.0, 0.25 + 0.25 * depth) - 0.09 * max(0, depth - 3)
    return hard * rise * (1.0 if span == "cls" or depth > 3 else 0.85)


def predictions_of(
    model: str, task: str, classes: list[str], scope: str, size: tuple[int, int]
) -> pl.DataFrame:
    """Draw the predictions of every column, probe, seed and kind; size is (n, seeds)."""
    n, seeds = size
    draw = generator("fixture", model, task)
    weights = np.r_[1.6, np.ones(len(classes) - 1)]
    truth = draw.choice(len(classes), size=n, p=weights / weights.sum())
    ids = [f"{scope}_{i:05d}" for i in range(n)]
    frames = []
    types = dict.fromkeys(("address", "span", "probe", "kind"), pl.String) | {"seed": pl.Int32}

    def add(
        key: tuple[str, str, str, int | None, str], true: np.ndarray, guess: np.ndarray
    ) -> None:
        names = ("address", "span", "probe", "seed", "kind")
        frames.append(
            pl.DataFrame(
                {"id": ids, "truth": np.take(classes, true), "prediction": np.take(classes, guess)}
            ).with_columns(**{k: pl.lit(v, types[k]) for k, v in zip(names, key, strict=True)})
        )

    easy = draw.random(n)  # the same questions are easy at all addresses, as in real models
    add(("", "", "", None, "majority"), truth, np.zeros(n, int))
    for seed in range(seeds):
        control = draw.integers(len(classes), size=n)
        for address, span in COLUMNS[model, scope]:
            for probe, gain in (("linear", 0.9), ("mlp", 1.0)):
                known = easy * 0.8 + 0.2 * draw.random(n) < gain * knowledge(task, address, span)
                guess = np.where(known, truth, draw.choice(truth, size=n))
                add((address, span, probe, seed, "task"), truth, guess)
                kept = draw.random(n) < 0.12 * gain
                guess = np.where(kept, control, draw.integers(len(classes), size=n))
                add((address, span, probe, seed, "control_type"), control, guess)
    return pl.concat(frames)


def metrics_of(predictions: pl.DataFrame, head: dict[str, str], k: int) -> pl.DataFrame:
    """Return the rows of a probe table, computed from its predictions."""
    keys = ["address", "span", "probe", "seed", "kind"]
    right = predictions.with_columns(right=pl.col("truth") == pl.col("prediction"))
    rows = right.group_by(keys, maintain_order=True).agg(
        pl.col("right").mean().alias("accuracy"), pl.len().alias("n_test"), "right"
    )
    table = {tuple(r[k] for k in keys): r for r in rows.to_dicts()}
    found = []
    for key, row in table.items():
        kind, accuracy, n = key[4], row["accuracy"], row["n_test"]
        half = 1.96 * np.sqrt(accuracy * (1 - accuracy) / n)
        new = dict.fromkeys(PROBES.names) | head | dict(zip(keys, key, strict=True))
        new |= {"n_train": 4 * n, "n_test": n, "n_classes": k, "chance": 1 / k}
        new |= {"accuracy": accuracy, "ci_low": max(0.0, accuracy - half)}
        new |= {"ci_high": min(1.0, accuracy + half), "train_accuracy": min(1.0, accuracy + 0.05)}
        if kind == "task":
            control = table[(*key[:4], "control_type")]
            selectivity = accuracy - control["accuracy"]
            p = stats.binomtest(int(sum(row["right"])), n, 1 / k, alternative="greater").pvalue
            new |= {"cv_accuracy": accuracy - 0.01, "selectivity": selectivity, "p": p}
            new |= {"selectivity_low": selectivity - half, "selectivity_high": selectivity + half}
            new |= {"null_accuracy": 1 / k, "penalty": 0.01, "epochs": 40}
        found.append(new)
    frame = pl.DataFrame(found, schema=pl.DataFrame(pa.table(PROBES.empty_table())).schema)
    task = frame["kind"] == "task"
    q = np.full(len(frame), np.nan)
    q[task.to_numpy()] = stats.false_discovery_control(frame.filter(task)["p"].to_numpy())
    return frame.with_columns(q=pl.Series(q).fill_nan(None))


def _as_table(frame: pl.DataFrame, schema: pa.Schema) -> pa.Table:
    return frame.select(schema.names).to_arrow().cast(schema)


def write_probes(root: Path, n: int, seeds: int, models: list[str]) -> None:
    """Write every probe table and its predictions."""
    for model in models:
        for scope, tasks in (("item", ITEM_TASKS), ("image", IMAGE_TASKS)):
            for task, classes in tasks.items():
                if (model, scope) not in COLUMNS:
                    continue
                head = {"model": model, "dataset": "clevr", "task": task, "scope": scope}
                rows = predictions_of(model, task, classes, scope, (n, seeds))
                base = root / "results/probing" / model / "clevr"
                write_table(base / f"{task}.predictions.parquet", _as_table(rows, PREDICTIONS))
                metrics = metrics_of(rows, head, len(classes))
                write_table(base / f"{task}.parquet", _as_table(metrics, PROBES))


def write_dataset(root: Path, pictures: int) -> None:
    """Write images, their two tables and the receipt."""
    images, items = [], []
    tasks = list(IMAGE_TASKS)
    for i in range(pictures):
        draw = generator("fixture picture", i)
        path = f"data/raw/clevr/images/val/CLEVR_val_{i:06d}.png"
        picture = Image.new("RGB", (96, 72), (150, 150, 148))
        pen = ImageDraw.Draw(picture)
        for x in range(3):
            left, top, name = 8 + 28 * x, int(draw.integers(10, 40)), COLORS[draw.integers(8)]
            pen.ellipse([left, top, left + 22, top + 22], fill=name, outline="black")
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        picture.save(root / path)
        split = "train" if i % 5 else "test"
        row = {"image_id": f"val_{i:06d}", "split": "val", "group_split": split, "path": path}
        row |= {"group": f"g{i}", "sha256": "0" * 64, "width": 96, "height": 72, "type": "t"}
        images.append(row | {f"label/{t}": c[i % len(c)] for t, c in IMAGE_TASKS.items()})
        for j, (task, classes) in enumerate(ITEM_TASKS.items()):
            item = dict.fromkeys(ITEMS.names) | {"item_id": f"q{i:05d}_{j}", "split": "val"}
            item |= {"group_split": split, "group": f"g{i}", "images": [row["image_id"]]}
            item |= {"prompt": f"What {task} is the <b>thing</b> & why?", "choices": classes}
            item |= {"answer": classes[i % len(classes)], "task": task, "type": "t", "meta": "{}"}
            items.append(item)
    base = root / "results/datasets/clevr"
    write_table(base / "items.parquet", pa.Table.from_pylist(items, ITEMS))
    write_table(base / "images.parquet", pa.Table.from_pylist(images, images_schema(tasks)))
    files = [{"path": r["path"], "bytes": 900, "sha256": "0" * 64} for r in images]
    counts = {"val": {"images": pictures, "questions": len(items)}}
    receipt = {"dataset": "clevr", "layout": "clevr", "source": "render", "splits": counts}
    receipt["files"] = files
    write_json(root / "data/raw/clevr/acquired.json", receipt)


def write_models(root: Path) -> None:
    """Write the cards, the activation manifests and the training curves."""
    for model, kind, count in (
        ("tiny_llava", "vlm", 2_204_416),
        ("tiny_clip", "encoder", 1_301_760),
    ):
        addresses = VISION + ["connector"] + (LM if kind == "vlm" else [])
        card = {"model": model, "family": "llava" if kind == "vlm" else "clip", "kind": kind}
        card |= {"parameters": count, "image_tokens": 64, "shares_prefix": kind == "vlm"}
        card["reads_text"] = True
        card["addresses"] = [
            {"address": a, "module": a, "width": 128, "spans": ["cls"], "scopes": {"cls": "image"}}
            for a in addresses
        ]
        card["reads"] = VISION[-2:-1] if kind == "vlm" else VISION[-1:]
        write_json(root / f"results/models/{model}/card.json", card)
        for scope in ("image", "item"):
            if (model, scope) in COLUMNS:
                manifest = {"model": model, "dataset": "clevr", "scope": scope, "rows": 300}
                manifest["columns"] = [
                    {"name": f"{a}/{s}", "address": a, "span": s, "width": 128, "dtype": "float16"}
                    for a, s in COLUMNS[model, scope]
                ]
                manifest["parts"] = [{"path": "part-000.parquet", "rows": 300, "bytes": 9_876_543}]
                manifest["provenance"] = {"torch": "2.13.0", "device": "cpu", "code": "ab" * 8}
                folder = root / f"results/extraction/{model}/clevr/{scope}"
                write_json(folder / "manifest.json", manifest)
    for stage, scores in (
        ("contrastive", ["recall_at_1"]),
        ("instruction", [f"{shown}/{t}" for shown in ("sighted", "blank") for t in ITEM_TASKS]),
    ):
        draw = generator("fixture curve", stage)
        rows = []
        for step in range(0, 1200):
            loss = 1.2 + 4 * np.exp(-step / 200) + 0.1 * draw.standard_normal()
            rows.append({"stage": stage, "step": step, "metric": "loss", "value": float(loss)})
            for i, metric in enumerate(scores if step % 100 == 0 else []):
                value = 0.9 - 0.06 * i - 0.2 * float(np.exp(-step / 300))
                rows.append({"stage": stage, "step": step, "metric": metric, "value": value})
        path = root / f"results/training/{stage}/curve.parquet"
        write_table(path, pa.Table.from_pylist(rows))


def write_benchmarks(root: Path) -> None:
    """Write benchmark lines as Snakemake does, one JSON object per job."""
    for rule, jobs in (("draw_scenes", 3), ("extract_activations", 2), ("train_probes", 12)):
        for job in range(jobs):
            path = root / f"benchmarks/{rule}/{job}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            rss = "NA" if job == 2 else 210.5 + 30 * job
            path.write_text(json.dumps({"s": 3.5 + job, "max_rss": rss}) + "\n")


def write_results(root: Path, n: int, seeds: int, pictures: int) -> dict[str, list[str]]:
    """Write all inputs of the report; return the arguments of both steps, relative to ``root``."""
    write_dataset(root, pictures)
    write_models(root)
    write_probes(root, n, seeds, ["tiny_llava", "tiny_clip"])
    write_benchmarks(root)
    predictions = sorted(root.glob("results/probing/*/*/*.predictions.parquet"))
    found = {
        "items": sorted(root.glob("results/datasets/*/items.parquet")),
        "images": sorted(root.glob("results/datasets/*/images.parquet")),
        "probes": [p.with_name(p.name.replace(".predictions", "")) for p in predictions],
        "predictions": predictions,
        "cards": sorted(root.glob("results/models/*/card.json")),
        "curves": sorted(root.glob("results/training/*/curve.parquet")),
        "manifests": sorted(root.glob("results/extraction/*/*/*/manifest.json")),
        "receipts": sorted(root.glob("data/raw/*/acquired.json")),
    }
    return {flag: [str(p.relative_to(root)) for p in paths] for flag, paths in found.items()}


def flags(root: Path) -> list[str]:
    """Write small results; return the arguments of ``eyechart.report.build_report``."""
    answered = write_behaviour(root)
    given = answered | write_results(root, 40, 2, 12)
    read = write_readouts(root, "tiny_llava", ["vision.0", "connector", "lm.norm"], answers=False)
    for table, paths in (("verdicts", write_verdicts(root, 60)), ("readouts", [read])):
        given[table] = [str(path.relative_to(root)) for path in paths]
    words = ["--tables", *(path for paths in given.values() for path in paths)]
    words += ["--settings", json.dumps(SETTINGS), "--benchmarks", "benchmarks"]
    words += ["--sections", *SECTIONS]
    (root / CONFIGURATION.at()).write_text(json.dumps({"seed": 7, "models": ["tiny_clip"]}))
    words += ["--configuration", CONFIGURATION.at()]
    return [*words, "--output", "results/report/index.html"]
