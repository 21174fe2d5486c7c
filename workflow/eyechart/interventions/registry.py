"""The registry of interventions, which change forward passes; each has one line and one module.

The module has a function ``edits(setup)``, which yields every
:class:`eyechart.interventions.edit.Edit` of a model; its settings are ``setup.options[<name>]``.
Snakemake imports this at parse time, so it must not import numpy.
"""

from collections.abc import Iterable

from eyechart.core.errors import UserError, nearest

EDITS = {"patch": "patch", "knockout": "knock_out", "ablate": "ablate", "erase": "erase"}


def modules(names: Iterable[str]) -> list[str]:
    """Return the modules of interventions; raise a UserError for an unknown name."""
    for name in names:
        if name not in EDITS:
            raise UserError(f"interventions.edits: {name!r}; {nearest(name, EDITS)}")
    return [f"eyechart.interventions.{EDITS[name]}" for name in names]
