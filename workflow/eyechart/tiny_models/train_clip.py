"""Stage 1, contrastive: a CLIP learns which caption belongs to which image.

Reads the training images; writes a Hugging Face folder, with ``ready.json`` last, and the curve.
Source: Radford et al. 2021, section 2.3. Here, two images with the same caption count as positives
of each other, because simple scenes often recur.

    python -m eyechart.tiny_models.train_clip --receipt data/raw/clevr_pretrain/acquired.json
        --recipe JSON --seed 7 --device auto --output results/training/contrastive/model/ready.json
        --curve results/training/contrastive/curve.parquet
"""

from collections.abc import Callable
from typing import Any

import torch

from eyechart.core import randomness
from eyechart.core.step import command
from eyechart.rendering.language.questions import caption, phrase
from eyechart.tiny_models.architectures import build_clip, build_tokenizer
from eyechart.tiny_models.images import TrainingImages, augment, load_images, normalise
from eyechart.training import loop, step_helpers

STAGE = "contrastive"
STEP = "eyechart.tiny_models.train_clip"


def scene_ids(scenes: list[dict[str, Any]]) -> torch.Tensor:
    """Return an id for each scene, int64 (n,); scenes with the same objects have the same id."""
    numbers: dict[tuple[str, ...], int] = {}
    keys = [tuple(sorted(phrase(o) for o in scene["objects"])) for scene in scenes]
    return torch.tensor([numbers.setdefault(key, len(numbers)) for key in keys])


def contrastive_loss(logits: torch.Tensor, kind: torch.Tensor) -> torch.Tensor:
    """Return the symmetric cross-entropy of logits (b, b); equal kinds share the target."""
    same = (kind[:, None] == kind[None, :]).float()
    target = same / same.sum(1, keepdim=True)
    both = [torch.nn.functional.cross_entropy(x, target) for x in (logits, logits.T)]
    return (both[0] + both[1]) / 2


def make_loss(
    model: Any, tokenizer: Any, images: TrainingImages, recipe: dict[str, Any]
) -> Callable[[torch.Generator], torch.Tensor]:
    """Return a function that computes the loss of a random batch of augmented images."""
    kinds = scene_ids(images.scenes)

    def loss(generator: torch.Generator) -> torch.Tensor:
        picks = torch.randperm(len(kinds), generator=generator)[: recipe["contrastive"]["batch"]]
        rng = randomness.dice("captions", int(generator.initial_seed()))
        texts = [caption(images.scenes[i], rng) for i in picks.tolist()]
        tokens = tokenizer(texts, padding=True, return_tensors="pt").to(model.device)
        pixels = augment(images.pixels[picks], recipe["augment"], generator)
        output = model(pixel_values=pixels.to(model.device), **tokens)
        return contrastive_loss(output.logits_per_image, kinds[picks].to(model.device))

    return loss


@torch.inference_mode()
def retrieval(model: Any, tokenizer: Any, held_out: TrainingImages) -> dict[str, float]:
    """Return recall@1: the share of held-out images whose top-ranked caption is correct."""
    rng = randomness.dice("captions", "held out")
    texts = [caption(scene, rng) for scene in held_out.scenes]
    tokens = tokenizer(texts, padding=True, return_tensors="pt").to(model.device)
    pixels = normalise(held_out.pixels).to(model.device)
    logits = model(pixel_values=pixels, **tokens).logits_per_image.cpu()
    kinds = scene_ids(held_out.scenes)
    return {"recall_at_1": float((kinds[logits.argmax(1)] == kinds).float().mean())}


@command
def main(args: step_helpers.Training) -> None:
    """Train CLIP from scratch."""
    recipe, root = args.recipe, args.receipt.parent
    step_helpers.make_deterministic(recipe[STAGE]["threads"])
    train = load_images(root, "train", recipe["images"])
    held_out = load_images(root, "val", recipe["held_out"])
    corpus = [caption(s, randomness.dice("corpus", i)) for i, s in enumerate(train.scenes)]
    tokenizer = build_tokenizer(corpus, recipe["vocabulary"], image=False)
    model, processor = build_clip(recipe["architecture"], tokenizer, args.seed)
    model.to(args.place)  # type: ignore[arg-type]
    curve = loop.fit(
        dict(model.named_parameters()),
        make_loss(model.train(), tokenizer, train, recipe),
        lambda: retrieval(model, tokenizer, held_out),
        recipe["contrastive"],
        step_helpers.identity(args, STAGE, STEP),
        step_helpers.checkpoint_path(args),
    )
    step_helpers.finish(args, STAGE, curve, [(model, {}), (processor, {})])


if __name__ == "__main__":
    main()
