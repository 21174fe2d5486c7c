"""Train an encoder on object labels: the colour and shape of the objects in an image.

An image's labels are the pairs of colour and shape in it, such as ``red cube``. A linear layer on
the class token predicts for each pair whether the image has it. The encoder has the architecture of
``tiny_dino``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from eyechart.tiny_models.architectures import build_dino, build_image_processor
from eyechart.tiny_models.images import TrainingImages, augment, normalise
from eyechart.training import loop, step_helpers


def object_labels(scenes: list[dict[str, Any]], names: list[str]) -> Tensor:
    """Return whether each of the listed kinds of object is in each scene; float32 (n, k)."""
    there = [{f"{o['color']} {o['shape']}" for o in scene["objects"]} for scene in scenes]
    return torch.tensor([[float(name in own) for name in names] for own in there])


def kinds(scenes: list[dict[str, Any]]) -> list[str]:
    """Return the kinds of object that occur in the scenes."""
    return sorted({f"{o['color']} {o['shape']}" for scene in scenes for o in scene["objects"]})


class Labelled(nn.Module):
    """An encoder with a linear layer on its class token."""

    def __init__(self, encoder: Any, labels: int) -> None:
        super().__init__()
        self.encoder, self.head = encoder, nn.Linear(encoder.config.hidden_size, labels)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the logit (b, k) of each label for normalised pixels (b, 3, h, w)."""
        seen = self.encoder(pixel_values=pixels).last_hidden_state[:, 0]
        logits: Tensor = self.head(seen)
        return logits


def found(model: Labelled, images: TrainingImages, names: list[str]) -> dict[str, float]:
    """Return the share of correct predictions, for present and for absent labels."""
    with torch.inference_mode():
        told = model(normalise(images.pixels).to(model.head.weight.device)).cpu() > 0
    truth = object_labels(images.scenes, names) > 0
    right = told == truth
    return {
        "labels/there": float(right[truth].float().mean()),
        "labels/not_there": float(right[~truth].float().mean()),
    }


def train_encoder(
    args: step_helpers.Training, step: str, train: TrainingImages, held_out: TrainingImages
) -> tuple[list[loop.Row], list[Any]]:
    """Train an encoder on labels from scratch; return the curve and the objects to save."""
    recipe, stage = args.recipe, args.recipe["stage"]
    names = kinds(train.scenes)
    model = Labelled(build_dino(recipe["architecture"], args.seed), len(names)).to(args.place)
    curve = loop.fit(
        dict(model.train().named_parameters()),
        make_loss(model, train, names, recipe),
        lambda: found(model, held_out, names),
        stage,
        step_helpers.identity(args, "built", step),
        step_helpers.checkpoint_path(args),
    )
    processor = build_image_processor(recipe["architecture"]["image_px"])
    return curve, [model.encoder.eval(), processor]


def make_loss(
    model: Labelled, images: TrainingImages, names: list[str], recipe: dict[str, Any]
) -> Callable[[torch.Generator], Tensor]:
    """Return a function that computes the loss of a random batch of augmented images."""
    truth = object_labels(images.scenes, names)

    def loss(generator: torch.Generator) -> Tensor:
        picks = torch.randperm(len(truth), generator=generator)[: recipe["stage"]["batch"]]
        pixels = augment(images.pixels[picks], recipe["augment"], generator)
        logits = model(pixels.to(model.head.weight.device)).cpu()
        return nn.functional.binary_cross_entropy_with_logits(logits, truth[picks])

    return loss
