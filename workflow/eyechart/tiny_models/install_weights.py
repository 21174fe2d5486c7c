"""Install packed weights as a model's checkpoint, after checking recipe and bytes.

python -m eyechart.tiny_models.install_weights --recipe JSON
    --packed data/weights/tiny_clip/packed.json --output data/models/tiny_clip/ready.json
"""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Annotated, Any

from eyechart.core.errors import UserError
from eyechart.core.files import atomic, read_json, sha256, write_json
from eyechart.core.step import command


def recipe_hash(recipe: str) -> str:
    """Return the first 16 hex digits of the SHA-256 of a recipe's canonical JSON."""
    return hashlib.sha256(recipe.encode()).hexdigest()[:16]


def first_difference(a: Any, b: Any, where: str = "") -> str:
    """Return the first key at which two recipes differ, with both values."""
    if isinstance(a, dict) and isinstance(b, dict):
        for key in sorted({*a, *b}):
            if a.get(key) != b.get(key):
                return first_difference(a.get(key), b.get(key), f"{where}.{key}" if where else key)
    return f"{where} is {json.dumps(a)} in the weights and {json.dumps(b)} in the configuration"


def check_recipe(packed: Path, note: dict[str, Any], recipe: str) -> None:
    """Raise a UserError if the weights were made by a different recipe."""
    if note["recipe_hash"] != recipe_hash(recipe):
        difference = first_difference(note["recipe"], json.loads(recipe))
        raise UserError(
            f"{packed}: these weights were made by another recipe ({difference}); restore the "
            "value, or set tiny_models.weights to 'train'"
        )


@command
def main(
    *,
    recipe: Annotated[str, {"help": "the model's complete recipe as canonical JSON"}],
    packed: Path,
    output: Path,
) -> None:
    """Check, copy, and write ``ready.json`` last."""
    note = read_json(packed)
    check_recipe(packed, note, recipe)
    for entry in note["files"]:
        source = packed.parent / entry["path"]
        if not source.exists() or sha256(source) != entry["sha256"]:
            raise UserError(
                f"{source}: missing, or its bytes differ from {packed}; "
                "restore it from the repository, or pack it again"
            )
        with atomic(output.parent / entry["path"]) as partial:
            shutil.copyfile(source, partial)
    kept = {key: note[key] for key in ("model", "recipe_hash", "code", "files")}
    write_json(output, kept)


if __name__ == "__main__":
    main()
