"""List the addresses of a checkpoint from its config.json, without loading its weights.

python -m eyechart.models.list_addresses --spec config/models/llava_1_5_7b.yaml \
        --checkpoint data/models/llava_1_5_7b
"""

from __future__ import annotations

from pathlib import Path

import torch

from eyechart.core.step import command
from eyechart.models.checkpoint import empty_model
from eyechart.models.load import adapter_of
from eyechart.models.load_options import LoadFlags, LoadOptions
from eyechart.models.spec import Spec


def list_addresses(
    spec: Spec, checkpoint: Path, loading: LoadOptions
) -> list[tuple[str, str, int]]:
    """Return every address with its module path and number of parameters.

    Raise a UserError if the folder has no config.json for the family's class.
    """
    family = adapter_of(spec, checkpoint)
    model = empty_model(family.model_class(), checkpoint, spec, loading)
    places = family(model, None, spec, torch.device("meta")).addresses()
    return [
        (address, path, sum(p.numel() for p in model.get_submodule(path).parameters()))
        for address, path in places.items()
    ]


@command
def main(*, flags: LoadFlags) -> None:
    """Print one line per address."""
    found = list_addresses(*flags.what())
    print(f"{'address':<14}{'parameters':>14}  module")
    for address, path, parameters in found:
        print(f"{address:<14}{parameters:>14,}  {path}")


if __name__ == "__main__":
    main()
