"""Pack a trained model for shipping: float16 weights, and the hash of their recipe.

Reads a stage's Hugging Face folder; writes a smaller one, with ``packed.json`` last.

    python -m eyechart.tiny_models.pack_weights --model tiny_clip --recipe JSON
        --trained results/training/contrastive/model/ready.json
        --curve results/training/contrastive/curve.parquet
        --output results/training/packed/tiny_clip/packed.json
"""

import json
import shutil
from pathlib import Path
from typing import Annotated, Any

import torch
from safetensors.torch import load_file, save_file

from eyechart.core.files import atomic, describe, read_json, write_json
from eyechart.core.fingerprint import fingerprint
from eyechart.core.step import command
from eyechart.tables.parquet import read_table
from eyechart.tiny_models.install_weights import recipe_hash
from eyechart.training.step_helpers import READY

WEIGHTS = "model.safetensors"
STEPS = {
    "contrastive": "train_clip",
    "language": "train_language",
    "alignment": "train_llava",
    "instruction": "train_llava",
    "distillation": "train_dino",
}


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


@command
def main(
    *,
    model: str,
    recipe: Annotated[str, {"help": "the model's complete recipe as canonical JSON"}],
    trained: Path,
    curve: list[Path],
    output: Path,
) -> None:
    """Pack one model with the curves of its stages."""
    folder = output.parent
    files = pack_folder(trained.parent, folder)
    for table in curve:
        stage = read_table(table, ["stage"])["stage"][0].as_py()
        files.append(folder / f"{stage}.curve.parquet")
        with atomic(files[-1]) as partial:
            shutil.copyfile(table, partial)
    content = json.loads(recipe)
    steps = sorted({step for stage, step in STEPS.items() if stage in content["training"]})
    note: dict[str, Any] = {
        "model": model,
        "recipe_hash": recipe_hash(recipe),
        "recipe": content,
        "code": {step: fingerprint(f"eyechart.tiny_models.{step}") for step in steps},
        "files": [{**describe(path), "path": path.name} for path in sorted(files)],
    }
    write_json(output, note)


if __name__ == "__main__":
    main()
