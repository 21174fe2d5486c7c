"""Install packed weights as a model's checkpoint, after checking recipe and bytes.

python -m eyechart.tiny_models.install_weights --recipe JSON
    --packed data/weights/tiny_clip/packed.json --output data/models/tiny_clip/ready.json
"""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

from eyechart.core import errors
from eyechart.core.errors import UserError
from eyechart.core.files import atomic, read_json, sha256, write_json
from eyechart.tiny_models.pack_weights import recipe_hash


def first_difference(a: Any, b: Any, where: str = "") -> str:
    """Return the first key at which two recipes differ, with both values."""
    if isinstance(a, dict) and isinstance(b, dict):
        for key in sorted({*a, *b}):
            if a.get(key) != b.get(key):
                return first_difference(a.get(key), b.get(key), f"{where}.{key}" if where else key)
    return f"{where} is {json.dumps(a)} in the weights and {json.dumps(b)} in the configuration"


def check_recipe(packed: Path, note: dict[str, Any], recipe: str) -> None:
    """Raise a UserError for weights made by another recipe."""
    if note["recipe_hash"] != recipe_hash(recipe):
        difference = first_difference(note["recipe"], json.loads(recipe))
        raise UserError(
            f"{packed}: these weights were made by another recipe ({difference}); restore the "
            "value, or set tiny_models.weights to 'train'"
        )


def parse_args(argv: list[str]) -> argparse.Namespace:
    """Parse the command line; every flag is required."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument(
        "--recipe", required=True, help="the model's whole recipe as canonical JSON"
    )
    parser.add_argument("--packed", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    return parser.parse_args(argv)


def main(argv: list[str]) -> None:
    """Check, copy, and write ``ready.json`` last."""
    args = parse_args(argv)
    note = read_json(args.packed)
    check_recipe(args.packed, note, args.recipe)
    for entry in note["files"]:
        source = args.packed.parent / entry["path"]
        if not source.exists() or sha256(source) != entry["sha256"]:
            raise UserError(
                f"{source}: missing, or its bytes differ from {args.packed}; "
                "restore it from the repository, or pack it again"
            )
        with atomic(args.output.parent / entry["path"]) as partial:
            shutil.copyfile(source, partial)
    kept = {key: note[key] for key in ("model", "recipe_hash", "code", "files")}
    write_json(args.output, kept)


if __name__ == "__main__":
    errors.run(main)
