"""Write the files generated from the models: the JSON Schema and the tables of config/README.md.

    python -m eyechart.plan.config.write_docs

In config/README.md, the text between ``<!-- generated: <section> -->`` and
``<!-- generated end -->`` is replaced.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema

from eyechart.plan.config.base import MOST, Override
from eyechart.plan.config.dataset import Dataset, Rendered
from eyechart.plan.config.root import RootConfig
from eyechart.plan.registry import SECTIONS

ROOT = Path(__file__).resolve().parents[4]
SCHEMA = ROOT / "workflow/schemas/config.schema.json"
README = ROOT / "config/README.md"
BLOCK = re.compile(r"(<!-- generated: ([\w ]+) -->\n).*?(<!-- generated end -->)", re.DOTALL)
HEAD = "| key | value | default | meaning |\n|---|---|---|---|\n"
Model = type[BaseModel]
Schema = dict[str, Any]


class _Untitled(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: Any) -> bool:
        """Return false: a title would only repeat the key."""
        return False


def schema() -> Schema:
    """Return the JSON Schema of the configuration."""
    found = RootConfig.model_json_schema(schema_generator=_Untitled)
    for part in (found, *found["$defs"].values()):
        part["description"] = _prose(part.get("description", ""))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **found}


def files() -> Iterator[tuple[Path, str]]:
    """Yield every generated file with its expected text."""
    yield SCHEMA, json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"
    text = README.read_text(encoding="utf-8")
    yield README, BLOCK.sub(lambda found: f"{found[1]}{_block(found[2])}{found[3]}", text)


def main() -> None:
    """Write the generated files."""
    for path, text in files():
        path.write_text(text, encoding="utf-8")


def _block(name: str) -> str:
    """Return the tables of one section, of all top-level keys, or of the layouts."""
    definitions = schema()["$defs"] | {"RootConfig": schema()}
    if name == "general":
        plain = {k: f for k, f in RootConfig.model_fields.items() if not _nested(f)}
        return HEAD + "".join(_rows(RootConfig, definitions, plain))
    if name == "datasets":
        return HEAD + "".join(_rows(Rendered, {"Rendered": _schema_of(Rendered)}))
    if name == "layouts":
        return "\n".join(_layout(layout, definitions) for layout in SECTIONS)
    section = _nested(RootConfig.model_fields[name])
    assert section is not None, f"{name} is no section"
    return f"{_linked(section)}\n\n{HEAD}{''.join(_rows(section, definitions))}"


def _layout(layout: Model, definitions: dict[str, Schema]) -> str:
    """Return the table of keys and defaults that are specific to one layout."""
    shared = Rendered if issubclass(layout, Rendered) else Dataset
    own = {
        key: field
        for key, field in layout.model_fields.items()
        if key not in shared.model_fields or _default(field) != _default(shared.model_fields[key])
    }
    own = {key: field for key, field in own.items() if key != "layout"}
    names = ", ".join(f"`{name}`" for name in get_args(layout.model_fields["layout"].annotation))
    drawn = " Can be rendered." if shared is Rendered else ""
    rows = "".join(_rows(layout, definitions, own))
    return f"**{names}**: {_linked(layout)}{drawn}\n\n" + (f"{HEAD}{rows}" if rows else "")


def _rows(
    model: Model,
    definitions: dict[str, Schema],
    fields: dict[str, FieldInfo] | None = None,
    prefix: str = "",
) -> Iterator[str]:
    """Yield one row per key; keys of nested sections are prefixed with the section's name."""
    properties = definitions[model.__name__]["properties"]
    for key, field in (model.model_fields if fields is None else fields).items():
        inner = _nested(field)
        if inner is not None and not issubclass(inner, Override):
            yield from _rows(inner, definitions, prefix=f"{prefix}{key}.")
            continue
        value = _value(properties[key])
        unit = (field.json_schema_extra or {}).get("unit")  # type: ignore[union-attr]
        shown = f"{value}; {unit}" if unit else value
        meaning = _escape(field.description or _prose(model.__doc__ or ""))
        yield f"| `{prefix}{key}` | {_escape(shown)} | {_escape(_default(field))} | {meaning} |\n"


def _nested(field: FieldInfo) -> Model | None:
    """Return the section nested in a field, if any."""
    for part in (field.annotation, *get_args(field.annotation)):
        if isinstance(part, type) and issubclass(part, BaseModel):
            return part
    return None


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field.exclude_if is not None and field.default is None:
        return "none"
    return f"`{json.dumps(field.default, ensure_ascii=False)}`"


def _value(part: Schema) -> str:
    """Return a description of the values that a part of the schema accepts."""
    if "anyOf" in part:
        return " or ".join(dict.fromkeys(_value(each) for each in part["anyOf"]))
    if "enum" in part or "const" in part:
        return ", ".join(f"`{v}`" for v in part.get("enum", [part.get("const")]))
    held = [part.get("items"), *part.get("patternProperties", {}).values()]
    held = [each for each in (*held, part.get("additionalProperties")) if isinstance(each, dict)]
    of = _value(held[0]) if held else ""
    words = {
        "integer": f"integer{_bounds(part)}",
        "number": f"number{_bounds(part)}",
        "array": f"list of {of}",
        "object": f"by name: {of}",
        "string": "text",
        "boolean": "true, false",
        "null": "null",
    }
    return words.get(part.get("type", ""), "keys and values")


def _bounds(part: Schema) -> str:
    low = part.get("minimum", part.get("exclusiveMinimum"))
    high = part.get("maximum", part.get("exclusiveMaximum"))
    above = ">" if "exclusiveMinimum" in part else "≥"
    below = "<" if "exclusiveMaximum" in part else "≤"
    bounds = [f"{above} {low:g}"] if low not in (None, -MOST) else []
    bounds += [f"{below} {high:,.10g}"] if high not in (None, MOST) else []
    return f" {', '.join(bounds)}" if bounds else ""


def _schema_of(model: Model) -> Schema:
    return model.model_json_schema(schema_generator=_Untitled)


def _linked(model: Model) -> str:
    return re.sub(r"docs/(\w+)\.md", r"[docs/\1.md](../docs/\1.md)", _prose(model.__doc__ or ""))


def _prose(docstring: str) -> str:
    return " ".join(docstring.replace("``", "`").split())


def _escape(text: str) -> str:
    return text.replace("|", r"\|")


if __name__ == "__main__":
    main()
