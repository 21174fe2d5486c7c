"""Run one tool (eyechart, VLM-Lens or nnsight); bench/peers.py starts each in its own process."""

import argparse
import io
import json
import re
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

MODULES = (
    r"model\.vision_tower\.encoder\.layers\.\d+",
    r"model\.multi_modal_projector",
    r"model\.language_model\.layers\.\d+",
    r"model\.language_model\.norm",
)
OURS, LENS, NNSIGHT = "eyechart", "VLM-Lens", "nnsight"
Used = dict[str, float]  # wall, cpu: seconds; mb: peak; bytes and values: amount stored
Values = dict[tuple[str, str, str], np.ndarray]  # mean over tokens by image, prompt and module


def measure(work: Callable[[], None]) -> Used:
    """Return the wall time, processor time and peak memory of a call."""
    Path("/proc/self/clear_refs").write_text("5")  # reset the peak, which included loading
    start = time.perf_counter(), time.process_time()
    work()
    used = {"wall": time.perf_counter() - start[0], "cpu": time.process_time() - start[1]}
    status = Path("/proc/self/status").read_text()
    return used | {"mb": int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024}


# Ours


def run_ours(args: argparse.Namespace) -> Used:
    """Extract every address and five spans, as a job of the workflow does."""
    from extraction import SPANS, Bench

    bench = Bench(args.folder, args)
    used = measure(lambda: bench.extract(shares_prefix=True, spans=SPANS, stored=args.stored))
    files = [args.folder / f"{scope}.parquet" for scope in ("image", "item")]
    return used | {"bytes": sum(f.stat().st_size for f in files), "values": count_values(files)}


def count_values(files: list[Path]) -> int:
    """Return the number of stored values."""
    import pyarrow.parquet as pq

    columns = [c for f in files for c in pq.read_table(f).columns if c.type.num_fields]
    return sum(len(c.combine_chunks().flatten()) for c in columns)


def read_ours(folder: Path) -> Values:
    """Return our means over all tokens of each module, computed from the spans' means."""
    import polars as pl

    def rows(name: str, key: str) -> dict[str, dict[str, Any]]:
        return {row[key]: row for row in pl.read_parquet(folder / f"{name}.parquet").to_dicts()}

    card = json.loads((folder / "card.json").read_text())
    tokens, paths = card["image_tokens"], rows("data/images", "image_id")
    images, items = rows("image", "image_id"), rows("item", "item_id")
    found: Values = {}
    for name, asked in rows("data/items", "item_id").items():
        (shown,) = asked["images"]
        for at in card["addresses"]:
            own, address = images[shown], at["address"]
            if address.startswith("vision"):  # the class token, and the mean of the patches
                patches = np.array(own[f"{address}/image_mean"])
                mean = (np.array(own[f"{address}/cls"]) + tokens * patches) / (tokens + 1)
            elif address == "connector":
                mean = np.array(own[f"{address}/image_mean"])
            else:
                mean = np.array(items[name][f"{address}/all_mean"])
            found[paths[shown]["path"], asked["prompt"], at["module"]] = mean
    return found


# Theirs


def run_lens(args: argparse.Namespace) -> Used:
    """Run VLM-Lens with its own configuration file."""
    import yaml
    from datasets import Dataset

    items = json.loads((args.folder / "items.json").read_text())
    rows = [{"id": n, "image": i, "prompt": q, "label": ""} for n, (i, q) in enumerate(items)]
    Dataset.from_list(rows).save_to_disk(args.folder / "lens")
    database = args.folder / "lens.db"
    database.unlink(missing_ok=True)
    config = {"architecture": "llava", "model_path": str(args.folder / "model"), "device": "cpu"}
    config |= {"dataset": [{"local_dataset_path": str(args.folder / "lens")}]}
    config |= {"output_db": str(database), "pooling_method": "mean", "modules": list(MODULES)}
    (args.folder / "lens.yaml").write_text(yaml.safe_dump(config))
    sys.path.insert(0, str(args.vlm_lens))
    sys.argv = ["main", "-c", str(args.folder / "lens.yaml"), "--device", "cpu"]
    from src.main import get_model
    from src.models.config import Config

    chosen = Config()
    model = get_model(chosen.architecture, chosen)
    used = measure(model.run)
    with sqlite3.connect(database) as rows_of:
        (values,) = rows_of.execute("SELECT sum(tensor_dim) FROM tensors").fetchone()
    return used | {"bytes": database.stat().st_size, "values": values}


def read_lens(folder: Path) -> Values:
    """Return the values that VLM-Lens stored."""
    import torch

    with sqlite3.connect(folder / "lens.db") as database:
        rows = database.execute("SELECT image_path, prompt, layer, tensor FROM tensors").fetchall()
    return {
        (image, prompt, layer): torch.load(io.BytesIO(blob)).numpy()[0]
        for image, prompt, layer, blob in rows
    }


def run_nnsight(args: argparse.Namespace) -> Used:
    """Trace each item with nnsight; keep the mean over every module's tokens."""
    import torch
    from nnsight import VisionLanguageModel
    from PIL import Image

    model = VisionLanguageModel(str(args.folder / "model"), dispatch=True)
    named = [
        n for n, _ in model._module.named_modules() if any(re.fullmatch(m, n) for m in MODULES)
    ]
    items = json.loads((args.folder / "items.json").read_text())
    found = {}

    def run() -> None:
        for number, (path, question) in enumerate(items):
            content = [{"type": "image"}, {"type": "text", "text": question}]
            turn = [{"role": "user", "content": content}]
            text = model.processor.apply_chat_template(turn, add_generation_prompt=True)
            image = Image.open(path).convert("RGB")
            with torch.no_grad(), model.trace(text, images=[image]):
                kept = [model.get(name).output.mean(1)[0] for name in named].save()
            found.update({f"{number}/{n}": v.numpy() for n, v in zip(named, kept, strict=True)})
        np.savez(args.folder / "nnsight.npz", **found)

    used = measure(run)
    stored = (args.folder / "nnsight.npz").stat().st_size
    return used | {"bytes": stored, "values": sum(v.size for v in found.values())}


def read_nnsight(folder: Path) -> Values:
    """Return the values kept from nnsight's traces."""
    items, found = json.loads((folder / "items.json").read_text()), np.load(folder / "nnsight.npz")
    split = [(key, *key.split("/", 1)) for key in found.files]
    return {(*items[int(number)], module): found[key] for key, number, module in split}


RUN = {OURS: run_ours, LENS: run_lens, NNSIGHT: run_nnsight}
READ = {LENS: read_lens, NNSIGHT: read_nnsight}
