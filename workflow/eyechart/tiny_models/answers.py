"""Compute losses and accuracies of a tiny VLM or language model on packed questions."""

import random
from collections import defaultdict
from typing import Any

import torch
from transformers import LlamaForCausalLM, LlavaForConditionalGeneration

from eyechart.core import randomness
from eyechart.rendering.language.questions import caption
from eyechart.tiny_models.images import TrainingImages, normalise
from eyechart.tiny_models.packing import Context, Packed, Packer

BLANK = 255  # a white image


def caption_with_gap(scene: dict[str, Any], rng: random.Random, gap: int = 0) -> Context:
    """Return a scene's caption and a random number, at most ``gap``, of free positions after it."""
    return f" {caption(scene, rng)}.", rng.randint(0, gap)


def image_tokens(model: LlavaForConditionalGeneration, pixels: torch.Tensor) -> torch.Tensor:
    """Return the projected image tokens, shape (b, p, d), of normalised pixels (b, 3, h, w)."""
    return model.model.multi_modal_projector(patch_features(model, pixels))


def patch_features(model: LlavaForConditionalGeneration, pixels: torch.Tensor) -> torch.Tensor:
    """Return the encoder's patches, shape (b, p, d), of normalised pixels (b, 3, h, w)."""
    seen = model.model.vision_tower(pixels.to(model.device), output_hidden_states=True)
    patches: torch.Tensor = seen.hidden_states[model.config.vision_feature_layer][:, 1:]
    return patches


def answer_logits(
    lm: LlamaForCausalLM | LlavaForConditionalGeneration,
    packed: Packed,
    image_embeddings: torch.Tensor | None,
) -> torch.Tensor:
    """Return the logits, shape (a, vocabulary), that predict the answer tokens."""
    packed = packed.to(lm.device)
    embeddings = lm.get_input_embeddings()(packed.ids)  # (b, t, d)
    if image_embeddings is not None:
        here = packed.ids == lm.config.image_token_index
        embeddings = embeddings.masked_scatter(
            here[..., None], image_embeddings.to(embeddings.dtype)
        )
    decoder = lm.model.language_model if image_embeddings is not None else lm.model
    states = decoder(
        inputs_embeds=embeddings,
        attention_mask=packed.mask,
        position_ids=packed.positions,
        use_cache=False,
    ).last_hidden_state  # (b, t, d)
    return lm.lm_head(states[packed.rows, packed.columns])


def answer_loss(logits: torch.Tensor, packed: Packed) -> torch.Tensor:
    """Return the mean cross-entropy of the answer tokens."""
    return torch.nn.functional.cross_entropy(logits, packed.labels.to(logits.device))


@torch.inference_mode()
def accuracies(
    model: Any, packer: Packer, held_out: TrainingImages, condition: str, batch: int = 100
) -> dict[str, float]:
    """Return the accuracy per task: a question counts if all its answer tokens are the argmax.

    Parameters
    ----------
    condition : ``sighted``, ``blank`` (white images; for a language model: no caption), or ``told``
        (a language model reads the caption)
    """
    vision = isinstance(model, LlavaForConditionalGeneration)
    hits: dict[str, list[bool]] = defaultdict(list)
    for start in range(0, len(held_out.questions), batch):
        rows = held_out.questions[start : start + batch]
        captions = None
        if condition == "told":
            scenes = held_out.scenes[start : start + batch]
            captions = [
                caption_with_gap(scene, randomness.dice("told", scene["image_index"]))
                for scene in scenes
            ]
        packed = packer.pack(rows, captions)
        image_embeddings = None
        if vision:
            pixels = held_out.pixels[start : start + batch]
            pixels = torch.full_like(pixels, BLANK) if condition == "blank" else pixels
            image_embeddings = image_tokens(model, normalise(pixels))
        wrong = answer_logits(model, packed, image_embeddings).argmax(-1).cpu() != packed.labels
        missed = torch.zeros(sum(map(len, rows)), dtype=torch.bool)
        missed[packed.owner[wrong]] = True
        tasks = [q["task"] for questions in rows for q in questions]
        for task, miss in zip(tasks, missed.tolist(), strict=True):
            hits[task].append(not miss)
    return {f"{condition}/{task}": sum(h) / len(h) for task, h in sorted(hits.items())}
