"""The base of all sections of the configuration: strict models, and the types of values."""

import os
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    SerializerFunctionWrapHandler,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError


class Section(BaseModel):
    """A mapping of settings. Unknown keys are rejected, and values are not converted."""

    model_config = ConfigDict(extra="forbid", strict=True, defer_build=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown(cls, value: Any) -> Any:
        for key in value if isinstance(value, dict) else ():
            if key not in cls.model_fields:
                context = {"key": key, "valid": list(cls.model_fields)}
                raise PydanticCustomError("unknown_key", "unknown key {key}", context)
        return value


def _undefault(schema: dict[str, Any]) -> None:
    for value in schema.get("properties", {}).values():
        value.pop("default", None)


class Override(Section):
    """A mapping of overrides for another section; keys that are not given stay absent."""

    model_config = ConfigDict(json_schema_extra=_undefault)

    @model_serializer(mode="wrap")
    def _given(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in dump(self).items() if key in self.model_fields_set}


def setting(default: Any, description: str, *, unit: str = "") -> Any:
    """Return a field with its default, description and unit; with ``...`` the field is required."""
    return Field(default, description=description, json_schema_extra=_unit(unit))


def nested(
    description: str, default: dict[str, Any] | None = None, *, null_stays: bool = True
) -> Any:
    """Return a field that holds a section; ``default`` overrides the section's own defaults."""
    return Field(
        default or {},
        description=description,
        validate_default=True,
        exclude_if=None if null_stays else lambda value: value is None,
    )


def optional(description: str, *, unit: str = "") -> Any:
    """Return a field that is absent from the configuration if it is not given."""
    return Field(
        None,
        description=description,
        json_schema_extra=_unit(unit),
        exclude_if=lambda value: value is None,
    )


def _unit(unit: str) -> dict[str, JsonValue] | None:
    return {"unit": unit} if unit else None


def mistake(key: str, rest: str) -> PydanticCustomError:
    """Return an error about a key; ``rest`` completes a sentence that begins with the key."""
    return PydanticCustomError("mistake", "{rest}", {"key": key, "rest": rest})


def _expect(expected: str, holds: Callable[[Any], bool]) -> AfterValidator:
    def check(value: Any) -> Any:
        if not holds(value):
            raise PydanticCustomError("expected", "{expected}", {"expected": expected})
        return value

    return AfterValidator(check)


def _as_written(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    """Keep an integer an integer, so that slices of settings contain what the user wrote."""
    validate(value)
    return value


AsWritten = WrapValidator(_as_written)
Unique = _expect("every entry once", lambda values: len(set(values)) == len(values))
UNIQUE = Field(json_schema_extra={"uniqueItems": True})

MOST = 10_000_000  # default upper bound of numbers
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Natural = Annotated[int, Field(ge=0, le=MOST)]
Count = Annotated[int, Field(ge=1, le=MOST)]
Draws = Annotated[int, Field(ge=100, le=MOST)]
Few = Annotated[int, Field(ge=1, le=1000)]  # blocks, seeds, threads
Folds = Annotated[int, Field(ge=2, le=100)]
Size = Annotated[int, Field(ge=1, le=65_536)]  # of a layer, a batch
Pixels = Annotated[int, Field(ge=16, le=10_000)]
Number = Annotated[float, Field(ge=-MOST, le=MOST), AsWritten]
NonNegative = Annotated[float, Field(ge=0, le=MOST), AsWritten]
Positive = Annotated[float, Field(gt=0, le=MOST), AsWritten]
Rate = Annotated[float, Field(gt=0, le=10), AsWritten]
Share = Annotated[float, Field(ge=0, le=1), AsWritten]
PositiveShare = Annotated[float, Field(gt=0, le=1), AsWritten]
OpenShare = Annotated[float, Field(gt=0, lt=1), AsWritten]
Cosine = Annotated[float, Field(ge=-1, le=1), AsWritten]
Text = Annotated[str, Field(min_length=1)]
File = Annotated[Text, AfterValidator(os.path.expanduser)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9_]+$", max_length=100)]  # of files and folders
Split = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$", max_length=100)]  # the same, of a split
Names = Annotated[list[str], Unique, UNIQUE]
Texts = Annotated[list[Text], Field(min_length=1), Unique, UNIQUE]
TasksOf = dict[Name, Annotated[list[Name], Field(min_length=1), Unique, UNIQUE]]  # by dataset
Batch = Size | Literal["auto"]
Span = Literal["cls", "image_mean", "text_mean", "last", "all_mean"]
RISING = "rising numbers"
Rising = _expect(f"{RISING}, each once", lambda values: values == sorted(set(values)))
Range = Annotated[
    list[Annotated[int, Field(ge=1, le=10)]],
    Field(min_length=2, max_length=2),
    _expect(RISING, lambda v: v == sorted(v)),
]


BATCH = (  # description of `batch_size` in the sections extraction and behavior
    "images or prompts per forward pass; `auto` times the first batches of 1, 2, 4, … up to 16 (64 "
    "on a GPU), keeps the fastest size for this model and machine, and halves it whenever memory "
    "runs out"
)
