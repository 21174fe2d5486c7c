"""Look a model over: its addresses, widths, spans and scopes, seen in one forward pass.

Reads the model's spec and its checkpoint folder; writes results/models/<model>/card.json.

    python -m eyechart.models.describe_model --model tiny_llava \
        --spec config/models/tiny_llava.yaml --checkpoint data/models/tiny_llava \
        --output results/models/tiny_llava/card.json
"""

import argparse
import logging
import os
import sys
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from eyechart import errors
from eyechart.models.addresses import SPANS
from eyechart.models.families.base import Adapter, Picture
from eyechart.models.families.language import LanguageAdapter
from eyechart.models.load import load
from eyechart.models.spec import Spec, read_spec
from eyechart.tables.files import sha256, write_json

SHARED_SPANS = ("image_mean", "image_tokens")


def describe(adapter: Adapter, model: str) -> dict[str, Any]:
    """Give the card of a loaded model.

    Raises
    ------
    UserError
        If the checkpoint has other numbers of blocks or parameters than its spec says.
    """
    grey = adapter.picture(Image.new("RGB", (96, 64), (128, 128, 128)))
    outputs, image_tokens = _run_once(adapter, [grey, grey])
    shares = isinstance(adapter, LanguageAdapter) and adapter.shares_prefix(grey)
    places = adapter.addresses()
    lengths: dict[str, torch.Size] = {}  # by region: shape (b, t) of its addresses' outputs
    described = []
    for address, path in places.items():
        region = adapter.region(path) or ""
        lengths[region] = outputs[path].shape[:-1]
        described.append(
            {
                "address": address,
                "module": path,
                "region": region,
                "width": outputs[path].shape[-1],
                "spans": [s for s in SPANS if s in adapter.SPANS[region]],
                "scopes": {s: scope(region, s, shares) for s in adapter.SPANS[region]},
            }
        )
    modules = {
        path: {"region": adapter.region(path), "width": output.shape[-1]}
        for path, output in outputs.items()
        if path not in places.values()
        and output.shape[:-1] == lengths.get(adapter.region(path) or "")
    }
    card = {
        "model": model,
        "family": adapter.spec.family,
        "kind": adapter.spec.kind,
        "dtype": adapter.spec.dtype,
        "parameters": sum(p.numel() for p in adapter.model.parameters()),
        "image_tokens": image_tokens,
        "shares_prefix": shares,
        "addresses": described,
        "modules": modules,
    }
    _check(card, adapter.spec, model)
    return card


def scope(region: str, span: str, shares_prefix: bool) -> str:
    """Give what a span depends on: ``image`` or ``item``.

    In a language model the image tokens depend on the picture alone only where the question cannot
    reach them.
    """
    alone = region != "lm" or (shares_prefix and span in SHARED_SPANS)
    return "image" if alone else "item"


def _run_once(adapter: Adapter, pictures: list[Picture]) -> tuple[dict[str, Tensor], int]:
    """Run two equal pictures, and a question where there is a language model; tap every module."""
    outputs: dict[str, Tensor] = {}

    def note(path: str) -> Any:
        def fired(module: nn.Module, inputs: Any, output: Any) -> None:
            first = output[0] if isinstance(output, tuple) and output else output
            if isinstance(first, Tensor) and first.ndim >= 2:
                outputs.setdefault(path, first)

        return fired

    handles = [
        module.register_forward_hook(note(path))
        for path, module in adapter.model.named_modules()
        if adapter.region(path)
    ]
    try:
        with torch.inference_mode():
            features = adapter.look(pictures)
            if not isinstance(adapter, LanguageAdapter):
                _, masks = adapter.layout("vision", outputs[adapter.addresses()["vision.0"]])
                return outputs, int(masks["image_mean"][0].sum())
            row = adapter.sequence("What?", [pictures[0].text])
            tokens = adapter.tokens([row, row])
            places = torch.arange(len(row), device=adapter.device).expand(2, -1)
            adapter.read(tokens, tokens.valid, places, features, None)
            return outputs, int(tokens.image[0].sum())
    finally:
        for handle in handles:
            handle.remove()


def _check(card: dict[str, Any], spec: Spec, model: str) -> None:
    names = [a["address"] for a in card["addresses"]]
    found = {
        "vision_blocks": sum(n.startswith("vision.") for n in names),
        "lm_blocks": sum(n.startswith("lm.") and n != "lm.norm" for n in names),
        "parameters": card["parameters"],
    }
    for field, number in found.items():
        expected = getattr(spec, field)
        if expected is not None and expected != number:
            raise errors.UserError(
                f"config of {model}: {field} is {expected}, but the checkpoint has {number}"
            )


def parse_args(argv: list[str]) -> argparse.Namespace:
    """Read the flags; all are required."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--spec", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    return parser.parse_args(argv)


def main(argv: list[str]) -> None:
    """Write the card of one model."""
    args = parse_args(argv)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    adapter = load(read_spec(args.spec), args.checkpoint, torch.device("cpu"))
    card = describe(adapter, args.model)
    files = sorted(p for p in args.checkpoint.iterdir() if p.is_file())
    card["checkpoint"] = {p.name: sha256(p) for p in files}
    write_json(args.output, card)


if __name__ == "__main__":
    errors.run(main)
