"""Describe a model: its addresses, widths, spans and scopes, measured in one forward pass.

Reads the model's spec and checkpoint folder. Writes results/models/<model>/card.json, and a sample
image as the model sees it with its image tokens outlined.

    python -m eyechart.models.describe_model --model tiny_llava \
        --spec config/models/tiny_llava.yaml --checkpoint data/models/tiny_llava \
        --view results/models/tiny_llava/view.png --output results/models/tiny_llava/card.json
"""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from eyechart.core import errors
from eyechart.core.address import REGION_SPANS
from eyechart.core.files import atomic, is_partial, sha256, write_json
from eyechart.core.step import command
from eyechart.models import limits
from eyechart.models.addresses import SPANS
from eyechart.models.checkpoint import one_sentence
from eyechart.models.families.base import Adapter
from eyechart.models.families.image_tokens import PreparedImage
from eyechart.models.families.language import LanguageAdapter
from eyechart.models.families.two_towers import TwoTowers
from eyechart.models.hooks import attached, pass_mode, tensor_of
from eyechart.models.load import load
from eyechart.models.load_options import LoadFlags
from eyechart.models.sample_image import draw_sample, draw_views
from eyechart.models.spans import Tokens
from eyechart.models.spec import Spec
from eyechart.models.usable import usable
from eyechart.models.weight_files import check_finite

SHARED_SPANS = ("image_mean", "image_tokens")
QUESTION = "What?"
MOST_PIXEL = 1_000  # of a normalised pixel; unnormalised ones have at most 255
PARAMETERS_OFF = 0.01  # relative; many specs compute their parameters from a configuration


def describe(adapter: Adapter, model: str) -> dict[str, Any]:
    """Return the card of a loaded model.

    Raise a UserError if the checkpoint's numbers of blocks or parameters differ from its spec.
    """
    image = draw_sample()
    checkpoint = adapter.spec.checkpoint
    with usable("the sample image", checkpoint), limits.processing(checkpoint):
        sample = replace(adapter.prepare_image(image), size=image.size)
    _check_pixels(sample, checkpoint)
    images = [sample] * (1 if adapter.MAX_IMAGES_PER_PASS == 1 else 2)
    with usable("a question about the sample image", checkpoint):
        outputs, tokens = _run_once(adapter, images)
    shares = isinstance(adapter, LanguageAdapter) and adapter.shares_prefix(sample)
    places = adapter.addresses()
    described = [
        {
            "address": address,
            "module": path,
            "region": component,
            "width": outputs[path].shape[-1],
            "spans": spans,
            "scopes": {s: scope(adapter, component, s, shares) for s in spans},
        }
        for address, path in places.items()
        for component in [adapter.component_of(path) or ""]
        for spans in [_spans(adapter, path, outputs[path], component, images, tokens)]
    ]
    card = {
        "model": model,
        "family": adapter.spec.family,
        "kind": adapter.spec.kind,
        "dtype": str(adapter.dtype).removeprefix("torch."),
        "parameters": sum(p.numel() for p in adapter.model.parameters()),
        "parts": parameters_by_component(adapter),
        "image_tokens": len(adapter.grid(sample)),
        "shares_prefix": shares,
        "reads_text": isinstance(adapter, LanguageAdapter | TwoTowers),
        "layout": token_layout(adapter, tokens) if isinstance(adapter, LanguageAdapter) else [],
        "reads": adapter.reads(),
        "addresses": described,
        "modules": _others(adapter, outputs, places),
    }
    _check(card, adapter.spec, model)
    return card


def scope(adapter: Adapter, component: str, span: str, shares_prefix: bool) -> str:
    """Return the scope of a span: ``image`` or ``item``.

    In a language model, image tokens depend on the image alone only if they cannot attend to the
    question.
    """
    if component in ("vision", "connector") and span not in REGION_SPANS:
        return adapter.scope(component)
    return "image" if shares_prefix and span in SHARED_SPANS else "item"


def parameters_by_component(adapter: Adapter) -> dict[str, int]:
    """Return the number of parameters of each component, with all others as ``rest``."""
    found: dict[str, int] = {}
    for name, parameter in adapter.model.named_parameters():
        component = adapter.component_of(name) or "rest"
        found[component] = found.get(component, 0) + parameter.numel()
    return found


def token_layout(adapter: LanguageAdapter, tokens: Tokens | None) -> list[dict[str, Any]]:
    """Return the sample prompt as runs of tokens: ``kind`` (image, text), ``tokens``, ``text``."""
    assert tokens is not None
    ids, image = tokens.ids[0].tolist(), tokens.image[0].tolist()
    runs = []
    for is_image, run in groupby(zip(ids, image, strict=True), key=lambda pair: pair[1]):
        own = [i for i, _ in run]
        words = [i for i in own if i >= 0]  # ids of learned vectors are negative
        text = "" if is_image else str(adapter.tokenizer.decode(words))
        runs.append({"kind": "image" if is_image else "text", "tokens": len(own), "text": text})
    return runs


def _spans(
    adapter: Adapter,
    path: str,
    output: Tensor,
    component: str,
    images: list[PreparedImage],
    tokens: Tokens | None,
) -> list[str]:
    """Return the spans of an address, in the order of ``SPANS``.

    Regions are spans only if every image token's position is known, and at least one token has a
    position.
    """
    own = adapter.spans(component)
    count = int(tokens.image[0].sum()) if tokens is not None else 0
    if component in ("vision", "connector"):
        runs = adapter.runs(images)
        _, masks = adapter.layout(component, output if runs == 1 else [output] * runs, images)
        own = tuple(masks)
        count = int(masks["image_tokens"][0].sum()) if "image_tokens" in masks else 0
    if "image_tokens" in own:
        boxes = adapter.token_boxes(images[0].size, adapter.box_key(component, path))
        placed = len(boxes) == count and bool(np.isfinite(boxes[:, 3:]).all(axis=1).any())
        own = (*own, *REGION_SPANS) if placed else own
    return [s for s in SPANS if s in own]


def _others(
    adapter: Adapter, outputs: dict[str, Tensor], places: dict[str, str]
) -> dict[str, dict[str, Any]]:
    """Return the modules that can be addressed by path: their outputs are shaped like a block's."""
    shapes = {(adapter.component_of(path), outputs[path].shape[:-1]) for path in places.values()}
    return {
        path: {"region": adapter.component_of(path), "width": output.shape[-1]}
        for path, output in outputs.items()
        if path not in places.values() and (adapter.component_of(path), output.shape[:-1]) in shapes
    }


def _run_once(
    adapter: Adapter, images: list[PreparedImage]
) -> tuple[dict[str, Tensor], Tokens | None]:
    """Run identical images, each with a question if there is a language model; hook all modules."""
    outputs: dict[str, Tensor] = {}

    def note(path: str) -> Any:
        def fired(module: nn.Module, inputs: Any, output: Any) -> None:
            try:
                first = tensor_of(path, output)
            except errors.UserError:
                return
            if first.ndim >= 2:
                outputs.setdefault(path, first)

        return fired

    paths = [path for path, _ in adapter.model.named_modules() if adapter.component_of(path)]
    with pass_mode(), attached(adapter.model, {path: note(path) for path in paths}):
        encoded = adapter.encode_images(images)
        if not isinstance(adapter, LanguageAdapter):
            return outputs, None
        row = adapter.row(QUESTION, images[:1])
        tokens = adapter.tokens([row] * len(images), encoded)
        adapter.read(tokens)
        return outputs, tokens


def _check_pixels(image: PreparedImage, checkpoint: str) -> None:
    """Raise a UserError if the checkpoint's mean, deviation or scale give impossible pixels."""
    for name, values in image.inputs.items():
        if values.is_floating_point() and not (values.abs() <= MOST_PIXEL).all():
            raise errors.UserError(
                f"{checkpoint}: its image processor gives {name} that are NaN or above {MOST_PIXEL}"
            )


def _check(card: dict[str, Any], spec: Spec, model: str) -> None:
    names = [a["address"] for a in card["addresses"]]
    found = {
        "vision_blocks": sum(n.startswith("vision.") for n in names),
        "lm_blocks": sum(n.startswith("lm.") and n != "lm.norm" for n in names),
        "parameters": card["parameters"],
    }
    off = {"parameters": PARAMETERS_OFF * card["parameters"]}
    for field, number in found.items():
        expected = getattr(spec, field)
        alone = (
            spec.reads_text and not card["reads_text"]
        )  # without the text tower that was counted
        if (spec.derived or alone) and field == "parameters":
            continue  # in a derived model, an untied head has weights of its own
        if expected is not None and abs(expected - number) > off.get(field, 0):
            raise errors.UserError(
                f"config of {model}: {field} is {expected}, but the checkpoint has {number}"
            )


@command
def main(*, model: str, view: Path, output: Path, flags: LoadFlags) -> None:
    """Write the card of one model."""
    spec, checkpoint, options = flags.what()
    options = replace(options, device="cpu", spread=False, bits=None)
    adapter = load(spec, checkpoint, options, first=True)
    check_finite(adapter.model, spec.checkpoint)
    with one_sentence(checkpoint):
        card = describe(adapter, model)
    files = sorted(p for p in checkpoint.iterdir() if p.is_file() and not is_partial(p))
    card["checkpoint"] = {p.name: sha256(p) for p in files}
    image = draw_sample()
    with atomic(view) as partial:
        draw_views(adapter, image, adapter.prepare_image(image)).save(partial, "PNG")
    write_json(output, card)


if __name__ == "__main__":
    main()
