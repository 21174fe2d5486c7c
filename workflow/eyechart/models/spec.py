"""What config/models/<model>.yaml says about one model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from eyechart.errors import UserError, nearest

FAMILIES = Path(__file__).parent / "families"
SHARED = ("__init__", "base", "language", "remote")  # of all families, or many
TWO_TOWERS = ("clip", "siglip")  # families of encoders with a tower that reads text
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as quick, where it was built
SCHEMA = Path(__file__).resolve().parents[2] / "schemas" / "model.schema.yaml"


@dataclass(frozen=True)
class Spec:
    """The fields of model.schema.yaml, where each is described."""

    family: str
    kind: str
    checkpoint: str
    revision: str | None
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
    trust_remote_code: bool
    weights: str
    encoder: str | None
    companions: dict[str, str]
    notes: str

    @property
    def from_hub(self) -> bool:
        """Whether the checkpoint is pulled from the hub: whether it has a revision there."""
        return self.revision is not None

    @property
    def reads_text(self) -> bool:
        """Whether it can be asked: it has a language model, or a tower for text."""
        return self.kind == "vlm" or self.family in TWO_TOWERS


def read_spec(path: Path) -> Spec:
    """Read and check one spec file; what it leaves out is what the schema says by default.

    Raises
    ------
    UserError
        If the file is missing, is no YAML, or a field is unknown, missing or of the wrong value.
    """
    try:
        value = yaml.load(Path(path).read_text(encoding="utf-8"), Loader=LOADER)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from None
    check(value, path)
    try:
        check_family(value["family"])
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    return Spec(**{**defaults(), **value})


def families() -> list[str]:
    """Give the names of all families."""
    return sorted(p.stem for p in FAMILIES.glob("*.py") if p.stem not in SHARED)


def check_family(family: str) -> None:
    """Raise a UserError if there is no such family."""
    if family not in families():
        raise UserError(f"unknown family {family!r}; {nearest(family, families())}")


def defaults() -> dict[str, Any]:
    """Give the value of every field that a spec may leave out."""
    return {k: v["default"] for k, v in schema()["properties"].items() if "default" in v}


@cache
def schema() -> dict[str, Any]:
    """Give the schema of all specs."""
    found: dict[str, Any] = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    return found


def check(value: Any, path: Path) -> None:
    """Raise a UserError with the first thing in which a spec differs from its schema."""
    if isinstance(value, dict):
        for name in value:
            if name not in schema()["properties"]:
                raise UserError(
                    f"{path}: unknown field {name!r}; {nearest(name, schema()['properties'])}"
                )
    error = jsonschema.exceptions.best_match(
        jsonschema.Draft202012Validator(schema()).iter_errors(value)
    )
    if error is not None:
        field = ".".join(str(part) for part in error.absolute_path) or "the file"
        raise UserError(f"{path}: {field}: {error.message}")
    if value["kind"] == "encoder" and value["lm_blocks"] != 0:
        raise UserError(f"{path}: lm_blocks is {value['lm_blocks']}, expected 0 for an encoder")
