"""Checks of the settings of derivation rules."""

from typing import Any

from eyechart.core.errors import UserError, nearest


def chosen(rule: str, settings: dict[str, Any], **defaults: Any) -> dict[str, Any]:
    """Return a rule's settings with defaults (None: required); raise a UserError for others."""
    for name in settings:
        if name not in defaults:
            known = nearest(name, defaults) if defaults else "it takes none"
            raise UserError(f"derived.settings: {rule} has no setting {name!r}; {known}")
    found = {**defaults, **settings}
    for name, value in found.items():
        if value is None:
            raise UserError(f"derived.settings: {rule} needs the setting {name!r}")
    return found
