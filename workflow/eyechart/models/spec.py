"""Model specs: the files config/models/<model>.yaml."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from eyechart.core import config_files
from eyechart.core.errors import UserError, lacks, nearest, shorter
from eyechart.models.derivations.registry import CHANGES, FIELDS

FAMILIES = Path(__file__).parent / "families"
# Inherited or derived, never given
OF_CHECKPOINT = ("checkpoint", "revision", "folder", "weights", "companions")
# Base modules, not families
SHARED = ("__init__", "base", "image_tokens", "language", "prompts", "remote", "two_towers")
TWO_TOWERS = ("clip", "siglip")  # families of encoders with a text tower
# Classes of image towers alone, by the model_type of a config.json that names no class
IMAGE_TOWERS = {
    "clip_vision_model": "CLIPVisionModelWithProjection",
    "siglip_vision_model": "SiglipVisionModel",
}
SCHEMA = Path(__file__).resolve().parents[2] / "schemas" / "model.schema.yaml"


@dataclass(frozen=True)
class Spec:
    """A model's spec; model.schema.yaml describes the fields."""

    family: str
    kind: str
    checkpoint: str
    revision: str | None
    folder: str | None
    env: str
    dtype: str
    attention: str | None
    licence: str
    gated: bool
    parameters: int | None
    vision_blocks: int | None
    lm_blocks: int | None
    image_first: bool
    turn: str | None
    text_sees_images: bool
    text_tower: bool
    trust_remote_code: bool
    weights: str
    encoder: str | None
    companions: dict[str, str]
    notes: str
    derived: dict[str, Any] | None
    built: dict[str, Any] | None

    @property
    def from_hub(self) -> bool:
        """Whether the checkpoint is pulled from the hub, that is, whether it has a revision."""
        return self.revision is not None

    @property
    def base(self) -> str | None:
        """Name of the base model, if this one is derived."""
        return self.derived["from"] if self.derived else None

    @property
    def adapter_folder(self) -> Path | None:
        """Folder of the adapter merged into the base, if any."""
        by = self.derived["by"] if self.derived else ""
        return Path(by) if "/" in by else None

    @property
    def reads_text(self) -> bool:
        """Whether the model can answer questions, with a language model or a text tower."""
        return self.kind == "vlm" or (self.family in TWO_TOWERS and self.text_tower)


def read_spec(path: Path) -> Spec:
    """Read and check one spec file.

    Missing fields are inherited from the base model if there is one, and otherwise get the schema's
    defaults. Raise a UserError if the file is missing or is not YAML, if a field is unknown,
    missing or invalid, or if the base model, rule or adapter does not exist.
    """
    value = _fields(Path(path), ())
    try:
        check_family(value["family"])
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    return Spec(**{**defaults(), **value})


def bases(specs: Mapping[str, Spec], model: str) -> list[str]:
    """Return the chain of models that a model is derived from, nearest first."""
    base = specs[model].base
    return [] if base is None else [base, *bases(specs, base)]


def _fields(path: Path, above: tuple[str, ...]) -> dict[str, Any]:
    """Return the checked fields of a spec file, with its base's as defaults.

    ``above`` are the models derived from this one, the nearest last.
    """
    value = config_files.read(path)
    for by, fields in FIELDS.items():
        for name, lesion in fields.items():
            if value.get(name) == lesion:
                raise UserError(f"{path}: {name}: remove the line, and derive a model by {by}")
    if value.get("derived") is not None:
        value = _inherited(value, path, above)
    check(value, path)
    return dict(value)


def _inherited(value: dict[str, Any], path: Path, above: tuple[str, ...]) -> dict[str, Any]:
    """Return a derived model's fields, with its base's as defaults."""
    check_field("derived", value["derived"], path)
    for name in OF_CHECKPOINT:
        if name in value:
            raise UserError(
                f"{path}: {name}: a derived model inherits it from its base; remove the line"
            )
    derived = {"settings": {}, "seed": 0, **value["derived"]}
    base, by = derived["from"], derived["by"]
    there = sorted(p.stem for p in path.parent.glob("*.yaml"))
    if base not in there:
        raise UserError(f"{path}: derived.from: unknown model {base!r}; {nearest(base, there)}")
    if "/" not in by and by not in CHANGES:
        raise UserError(
            f"{path}: derived.by: unknown derivation {by!r}; {nearest(by, CHANGES)}; the folder of "
            "an adapter has a / in it"
        )
    line = (*above, path.stem)
    if base in line:
        chain = " from ".join([*line[line.index(base) :], base])
        raise UserError(f"{path}: derived.from: a model is derived from itself ({chain})")
    notes = {"notes": f"Derived from {base} by {by}"}
    made = {"checkpoint": path.stem, "revision": None, "folder": None, "weights": "safetensors"}
    inherited = _fields(path.parent / f"{base}.yaml", line)
    if "vision" in CHANGES.get(by, ("vision",)):  # an adapter may change the encoder too; the
        inherited.pop("encoder", None)  # base's stand-alone encoder then no longer matches
    lesion = FIELDS.get(by, {})
    return {**inherited, **notes, **value, **made, **lesion, "derived": derived}


def saved_class(checkpoint: Path) -> str:
    """Return the class that a checkpoint's config.json names, or an empty string."""
    if not (checkpoint / "config.json").is_file():
        return ""
    try:
        config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
        named = [*(config.get("architectures") or []), IMAGE_TOWERS.get(config.get("model_type"))]
    except (OSError, ValueError, AttributeError, TypeError, RecursionError) as error:
        if lacks(error):
            raise
        return ""  # loading it reports what is wrong
    return str(named[0] or "")


def holds_text_tower(checkpoint: Path) -> bool:
    """Return whether an encoder's checkpoint may hold more than the image tower."""
    return "VisionModel" not in saved_class(checkpoint)


def families() -> list[str]:
    """Return the names of all families."""
    return sorted(p.stem for p in FAMILIES.glob("*.py") if p.stem not in SHARED)


def check_family(family: str) -> None:
    """Raise a UserError if there is no such family."""
    if family not in families():
        raise UserError(f"unknown family {family!r}; {nearest(family, families())}")


def defaults() -> dict[str, Any]:
    """Return the default value of every optional field."""
    return {k: v["default"] for k, v in schema()["properties"].items() if "default" in v}


@cache
def schema() -> dict[str, Any]:
    """Return the schema of specs."""
    found: dict[str, Any] = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    return found


def check_field(name: str, value: Any, path: Path) -> None:
    """Raise a UserError for the first violation of the schema in one field."""
    of_field = schema()["properties"][name]
    for key in value if isinstance(value, dict) else []:
        if key not in of_field["properties"]:
            raise UserError(
                f"{path}: unknown field {name}.{key}; {nearest(key, of_field['properties'])}"
            )
    _check_value(value, of_field, path, name)


def _check_value(value: Any, expected: dict[str, Any], path: Path, whole: str) -> None:
    error = jsonschema.exceptions.best_match(
        jsonschema.Draft202012Validator(expected).iter_errors(value)
    )
    if error is not None:
        field = ".".join(str(part) for part in error.absolute_path) or whole
        raise UserError(f"{path}: {field}: {shorter(error.message)}")


def built(value: dict[str, Any]) -> dict[str, Any]:
    """Return the field ``built`` with all defaults."""
    fields = schema()["properties"]["built"]["properties"]
    return {name: field.get("default") for name, field in fields.items()} | value


def _check_built(value: dict[str, Any], path: Path) -> None:
    """Raise a UserError if the parts of a controlled model do not form a model."""
    how = built(value["built"])
    count, labelled = len(how["encoders"]), how["trains"] == "labels"
    if labelled != (count == 0) or labelled != (how["lm"] is None):
        raise UserError(
            f"{path}: built: {count} encoders, lm {how['lm']!r}, trains {how['trains']!r}, "
            "expected encoders and lm for a vlm, and neither if an encoder is trained on labels"
        )
    if (how["mix"] is not None) != (count == 2):
        raise UserError(
            f"{path}: built.mix is {how['mix']!r} with {count} encoders, expected additive or "
            "interleaved with two, and none with fewer"
        )


def check(value: Any, path: Path) -> None:
    """Raise a UserError for the first violation of the schema in a spec."""
    if isinstance(value, dict):
        for name in value:
            if name not in schema()["properties"]:
                raise UserError(
                    f"{path}: unknown field {name!r}; {nearest(name, schema()['properties'])}"
                )
    _check_value(value, schema(), path, "the file")
    if isinstance(value, dict) and value.get("built") is not None:
        _check_built(value, path)
    if value["kind"] == "encoder" and value["lm_blocks"] != 0:
        raise UserError(f"{path}: lm_blocks is {value['lm_blocks']}, expected 0 for an encoder")
