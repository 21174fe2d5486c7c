"""The registry of readouts, which answer items from representations: one line and module each.

The module has a function ``score(reference, choices)``. The reference (None if the task has none)
and each choice are tokens (m, d) with weights (m,) that sum to 1. It returns one score per choice
(c,), where the highest wins, and the scale of the numbers that scores are computed from. A task may
have several readouts. Snakemake imports this at parse time, so it must not import numpy.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from eyechart.data.canvas.tasks import DEPTH, FUNCTIONAL, LOW_LEVEL, ODD, SEMANTIC, STYLE

# Inputs of readouts: the tokens of each region, the class token of each image, or depths from heads
# over one block or several
TOKENS, CLS, DEPTHS, DEPTH_MAP = "tokens", "cls", "depths", "depth_map"


@dataclass(frozen=True)
class ReadoutMethod:
    """A readout: the tasks that it answers, its module in this folder, and its input."""

    tasks: Sequence[str]
    module: str
    takes: str = TOKENS


READOUTS = {
    "points": ReadoutMethod((SEMANTIC, FUNCTIONAL, LOW_LEVEL), "correspondence"),
    "gram": ReadoutMethod((STYLE,), "style"),
    "mean": ReadoutMethod((ODD,), "odd_one_out"),
    "cls": ReadoutMethod((ODD,), "odd_one_out", CLS),
    "depth_linear": ReadoutMethod((DEPTH,), "depth.order", DEPTHS),
    "depth_dpt": ReadoutMethod((DEPTH,), "depth.order", DEPTH_MAP),
}


def names(task: str, takes: str | None = None) -> list[str]:
    """Return the names of a task's readouts: all, or those with one kind of input."""
    return [
        name
        for name, readout in READOUTS.items()
        if task in readout.tasks and takes in (None, readout.takes)
    ]


def modules(tasks: Iterable[str]) -> list[str]:
    """Return the distinct modules of the readouts that answer any of the tasks."""
    found = {f"eyechart.readout.{READOUTS[name].module}": None for t in tasks for name in names(t)}
    return list(found)
