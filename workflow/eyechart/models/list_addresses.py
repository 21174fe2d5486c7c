"""List the addresses of a checkpoint without loading its weights; only config.json is read.

python -m eyechart.models.list_addresses --spec config/models/llava_1_5_7b.yaml \
        --checkpoint data/models/llava_1_5_7b
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from eyechart.core import errors
from eyechart.models.checkpoint import empty_model
from eyechart.models.load import adapter_of
from eyechart.models.load_options import LoadOptions, add_flags, read_flags
from eyechart.models.spec import Spec, read_spec


def list_addresses(
    spec: Spec, checkpoint: Path, loading: LoadOptions
) -> list[tuple[str, str, int]]:
    """Return every address with its module path and number of parameters.

    Raises
    ------
    UserError
        If the folder has no config.json for the family's class.
    """
    family = adapter_of(spec)
    model = empty_model(family.model_class(), checkpoint, spec, loading)
    places = family(model, None, spec, torch.device("meta")).addresses()
    return [
        (address, path, sum(p.numel() for p in model.get_submodule(path).parameters()))
        for address, path in places.items()
    ]


def main(argv: list[str]) -> None:
    """Print one line per address."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--spec", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path, required=True)
    add_flags(parser)
    args = parser.parse_args(argv)
    found = list_addresses(read_spec(args.spec), args.checkpoint, read_flags(args))
    print(f"{'address':<14}{'parameters':>14}  module")
    for address, path, parameters in found:
        print(f"{address:<14}{parameters:>14,}  {path}")


if __name__ == "__main__":
    errors.run(main)
