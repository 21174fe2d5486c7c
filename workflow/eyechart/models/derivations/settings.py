"""Checks of the settings of derivation rules."""

from typing import Any

from eyechart.core.errors import UserError


def no_settings(rule: str, settings: dict[str, Any]) -> None:
    """Raise a UserError if a rule that takes no settings is given some."""
    for name in settings:
        raise UserError(f"derived.settings: {rule} has no setting {name!r}; remove it")
