"""The readouts: how an item is answered from representations, one line and one module each.

The module has ``score(reference, choices)``: of the reference (None where the task has none) and of
each choice it is given tokens (m, d) and their weights (m,) of sum 1, and returns a score per
choice (c,), of which the highest is chosen, and the scale of the numbers that scores come from.
A task may have several readouts. Snakemake imports this at parse time, so it needs no numpy.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from eyechart.data.canvas.tasks import DEPTH, FUNCTIONAL, LOW_LEVEL, ODD, SEMANTIC, STYLE

# What a readout takes: the tokens of each region, the class token of each image, or depths from
# the heads of single layers and of several blocks
TOKENS, CLS, DEPTHS, DEPTH_MAP = "tokens", "cls", "depths", "depth_map"


@dataclass(frozen=True)
class ReadoutMethod:
    """A readout: the tasks that it answers, its module in this folder, what it takes."""

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
    """Return the readouts of a task, all or those that take one kind of input."""
    return [
        name
        for name, readout in READOUTS.items()
        if task in readout.tasks and takes in (None, readout.takes)
    ]


def modules(tasks: Iterable[str]) -> list[str]:
    """Return the modules of the readouts that answer any of the tasks, each once."""
    found = {f"eyechart.readout.{READOUTS[name].module}": None for t in tasks for name in names(t)}
    return list(found)
