"""The number of parts into which a model's work on a dataset is split.

Snakemake imports this module at parse time, so it must not import numpy or torch.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from eyechart.models.spec import Spec
from eyechart.plan.configuration import Config, one_of

ANSWERS, EXTRACTION = "answers", "extraction"
# Parameters per part if the number of parts is `auto`: a part of CLEVR v1.0, or of 2,690 images of
# COCO, then takes less than a day by plan.resources for any model
PARAMETERS_A_PART = {ANSWERS: 0.8e9, EXTRACTION: 3e9}
PARAMETERS = {"vlm": 8e9, "encoder": 1e9}  # if neither the spec nor a name states it
_NAMED = re.compile(r"(?<![0-9a-z.])(\d+(?:\.\d+)?)([bm])(?![0-9a-z])")


def parameters(model: str, spec: Spec) -> float:
    """Return a model's number of parameters: from its spec, from ``7b`` in a name, or a guess.

    Example
    -------
    ``parameters: null`` and the checkpoint ``owner/some-vlm-2.7b``: 2.7e9.
    """
    if spec.parameters:
        return spec.parameters
    for name in (spec.checkpoint, model):
        if match := _NAMED.search(name.lower()):
            return float(match[1]) * {"b": 1e9, "m": 1e6}[match[2]]
    return PARAMETERS[spec.kind]


def count(config: Config, specs: Mapping[str, Spec], wildcards: Any, work: str = ANSWERS) -> int:
    """Return the number of parts of a model's work on a dataset."""
    model, dataset = wildcards.model, wildcards.dataset
    given: int | str = config["datasets"][dataset]["parts"]
    if isinstance(given, int):
        return given
    return math.ceil(parameters(model, specs[model]) / PARAMETERS_A_PART[work])


def names(
    config: Config, specs: Mapping[str, Spec], wildcards: Any, work: str = ANSWERS
) -> list[str]:
    """Return the names of the parts of a model's work on a dataset."""
    return [f"{n:03d}" for n in range(count(config, specs, wildcards, work))]


def flags(config: Config, specs: Mapping[str, Spec], work: str = ANSWERS) -> Callable[[Any], str]:
    """Return a param with the flags for a job's part; it is 0 of 1 if its files name none."""

    def param(wildcards: Any) -> str:
        part = getattr(wildcards, "part", None)
        if part is None:
            return "--part 0 --parts 1"
        return f"--part {int(part)} --parts {count(config, specs, wildcards, work)}"

    return param


def pattern(config: Config, parted: bool) -> str:
    """Return the wildcard pattern matching the datasets processed in parts, or all others."""
    datasets = config["datasets"].items()
    return one_of(name for name, dataset in datasets if (dataset["parts"] != 1) is parted)
