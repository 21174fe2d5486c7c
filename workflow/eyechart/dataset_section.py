"""What a schema cannot say of one dataset's section of the configuration.

Snakemake imports this at parse time, so it needs neither numpy nor torch.
"""

from collections.abc import Iterator
from typing import Any

from eyechart.catalogue import LAYOUTS, Layout
from eyechart.errors import nearest

Fault = tuple[str, str]  # the key at fault, and the end of a sentence that begins with its place
DRAWN = ("shards", "truth")  # what every drawn dataset needs


def fault(dataset: dict[str, Any]) -> Fault | None:
    """Give the first thing that is wrong with a dataset's section, or None."""
    layout = LAYOUTS[dataset["layout"]]
    return next(_faults(dataset, layout), None)


def _faults(dataset: dict[str, Any], layout: Layout) -> Iterator[Fault]:
    source = dataset["source"]
    if source not in layout.sources:
        kind = dataset["layout"]
        yield (
            "source",
            f" is {source!r}, which layout {kind!r} has not; {nearest(source, layout.sources)}",
        )
    for key in _needed(dataset, layout):
        if key not in dataset:
            yield (
                "source",
                f" {source!r} and layout {dataset['layout']!r}: the key {key!r} is missing",
            )
    splits = dataset["splits"]
    if source == "render" and not isinstance(splits, dict):
        yield (
            "splits",
            f" is {splits}, expected for source 'render' how many pictures of each split, e.g. "
            "{train: 900, val: 300}",
        )
    elif source == "render" and layout.pairs and [n % 2 for n in splits.values()] != [0]:
        yield "splits", f" is {splits}, expected one split with an even number of pictures: pairs"
    for task in dataset.get("tasks", []):
        if layout.scope(task, dataset) is None:
            hint = f" or {layout.image_prefix}…" if layout.image_prefix else ""
            yield "tasks", f": unknown task {task!r}; {nearest(task, layout.tasks)}{hint}"


def _needed(dataset: dict[str, Any], layout: Layout) -> list[str]:
    source = dataset["source"]
    keys = [*layout.needed]
    keys += ["path"] if source == "local" else []
    keys += [*DRAWN, *layout.drawing, *layout.asking] if source == "render" else []
    return keys
