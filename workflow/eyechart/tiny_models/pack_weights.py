"""Pack a trained model for shipping: float16 weights, and the hash of their recipe.

Reads a stage's Hugging Face folder; writes a smaller one, its ``packed.json`` last.

    python -m eyechart.tiny_models.pack_weights --model tiny_clip --recipe JSON
        --trained results/training/contrastive/model/ready.json
        --curve results/training/contrastive/curve.parquet
        --output results/training/packed/tiny_clip/packed.json
"""

import argparse
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from eyechart.core import errors
from eyechart.core.files import atomic, describe, read_json, write_json
from eyechart.core.fingerprint import fingerprint
from eyechart.tables.parquet import read_table
from eyechart.training.steps import READY

WEIGHTS = "model.safetensors"
STEPS = {
    "contrastive": "train_clip",
    "language": "train_language",
    "alignment": "train_llava",
    "instruction": "train_llava",
    "distillation": "train_dino",
}


def recipe_hash(recipe: str) -> str:
    """Return the first 16 hex digits of the SHA-256 of a recipe's canonical JSON."""
    return hashlib.sha256(recipe.encode()).hexdigest()[:16]


def pack_folder(trained: Path, folder: Path) -> list[Path]:
    """Copy a Hugging Face folder with its weights in float16; return the written files."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [entry["path"] for entry in read_json(trained / READY)["files"]]
    for name in names:
        with atomic(folder / name) as partial:
            if name == WEIGHTS:
                tensors = load_file(trained / name)
                halves = {n: t.to(torch.float16) for n, t in tensors.items()}
                save_file(halves, partial, metadata={"format": "pt"})
            else:
                shutil.copyfile(trained / name, partial)
    return [folder / name for name in names]


def parse_args(argv: list[str]) -> argparse.Namespace:
    """Parse the command line; every flag is required."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--model", required=True)
    parser.add_argument(
        "--recipe", required=True, help="the model's whole recipe as canonical JSON"
    )
    parser.add_argument("--trained", type=Path, required=True)
    parser.add_argument("--curve", type=Path, nargs="+", required=True)
    parser.add_argument("--output", type=Path, required=True)
    return parser.parse_args(argv)


def main(argv: list[str]) -> None:
    """Pack one model with the curves of its stages."""
    args = parse_args(argv)
    folder = args.output.parent
    files = pack_folder(args.trained.parent, folder)
    for curve in args.curve:
        stage = read_table(curve, ["stage"])["stage"][0].as_py()
        files.append(folder / f"{stage}.curve.parquet")
        with atomic(files[-1]) as partial:
            shutil.copyfile(curve, partial)
    recipe = json.loads(args.recipe)
    steps = sorted({step for stage, step in STEPS.items() if stage in recipe["training"]})
    note: dict[str, Any] = {
        "model": args.model,
        "recipe_hash": recipe_hash(args.recipe),
        "recipe": recipe,
        "code": {step: fingerprint(f"eyechart.tiny_models.{step}") for step in steps},
        "files": [{**describe(path), "path": path.name} for path in sorted(files)],
    }
    write_json(args.output, note)


if __name__ == "__main__":
    errors.run(main)
