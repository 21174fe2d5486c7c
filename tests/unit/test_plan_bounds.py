"""Every number in the configuration has a minimum and a maximum, and none may be infinite."""

from collections.abc import Iterator
from typing import Any

from eyechart.plan.config.write_docs import schema


def numbers(part: Any, at: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(part, dict):
        if part.get("type") in ("integer", "number") and not {"const", "enum"} & part.keys():
            yield at, part
        for key, value in part.items():
            yield from numbers(value, f"{at}.{key}")
    elif isinstance(part, list):
        for n, value in enumerate(part):
            yield from numbers(value, f"{at}.{n}")


def test_every_number_has_bounds() -> None:
    found = dict(numbers(schema()))
    assert len(found) > 200
    unbounded = [
        at
        for at, part in found.items()
        if not ({"minimum", "exclusiveMinimum"} & part.keys()
                and {"maximum", "exclusiveMaximum"} & part.keys())
    ]  # fmt: skip
    assert unbounded == []
