"""What config/models/<model>.yaml says about one model."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from eyechart.errors import UserError, nearest

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
    licence: str
    gated: bool
    parameters: int | None
    vision_blocks: int
    lm_blocks: int
    image_first: bool
    trust_remote_code: bool


def read_spec(path: Path) -> Spec:
    """Read and check one spec file.

    Raises
    ------
    UserError
        If the file is missing, is no YAML, or a field is unknown, missing or of the wrong value.
    """
    try:
        value = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from None
    check(value, path)
    return Spec(**value)


def check(value: Any, path: Path) -> None:
    """Raise a UserError with the first thing in which a spec differs from its schema."""
    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    if isinstance(value, dict):
        for name in value:
            if name not in schema["properties"]:
                raise UserError(
                    f"{path}: unknown field {name!r}; {nearest(name, schema['properties'])}"
                )
    error = jsonschema.exceptions.best_match(
        jsonschema.Draft202012Validator(schema).iter_errors(value)
    )
    if error is not None:
        field = ".".join(str(part) for part in error.absolute_path) or "the file"
        raise UserError(f"{path}: {field}: {error.message}")
