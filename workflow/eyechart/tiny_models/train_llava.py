"""Stages 3 and 4: train the VLM on questions about images.

``alignment`` trains the projector alone, with vision tower and language model frozen;
``instruction`` trains everything.

Source: Liu et al. 2023 (LLaVA), section 4.2, whose second stage keeps the vision tower frozen. Here
it is also trained, at a reduced learning rate, because the tiny vision tower is the bottleneck.

    python -m eyechart.tiny_models.train_llava --stage alignment --recipe JSON --seed 7 \
        --device auto
        --receipt data/raw/clevr_pretrain/acquired.json
        --vision results/training/contrastive/model/ready.json
        --language results/training/language/model/ready.json
        --output results/training/alignment/model/ready.json
        --curve results/training/alignment/curve.parquet
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch
from transformers import (
    AutoProcessor,
    AutoTokenizer,
    CLIPModel,
    LlamaForCausalLM,
    LlavaForConditionalGeneration,
)

from eyechart.core import randomness
from eyechart.core.step import command
from eyechart.tiny_models.answers import accuracies, answer_logits, answer_loss, image_tokens
from eyechart.tiny_models.architectures import build_llava
from eyechart.tiny_models.images import TrainingImages, augment, load_images
from eyechart.tiny_models.packing import Packer
from eyechart.training import loop, step_helpers

STEP = "eyechart.tiny_models.train_llava"
CONNECTOR = ("multi_modal_projector",)
CONNECTOR_AND_LM = (*CONNECTOR, "language_model", "lm_head")
ALL = (*CONNECTOR_AND_LM, "vision_tower")
STAGES = {"alignment": CONNECTOR, "instruction": ALL}


def make_loss(
    model: LlavaForConditionalGeneration,
    packer: Packer,
    images: TrainingImages,
    recipe: dict[str, Any],
    settings: dict[str, Any],
    features: torch.Tensor | None = None,
) -> Callable[[torch.Generator], torch.Tensor]:
    """Return a function that computes the loss of a random batch; questions are packed by image.

    Parameters
    ----------
    features : the frozen encoder's patches of each image, float32 (n, p, d); images are then not
        augmented
    """

    def loss(generator: torch.Generator) -> torch.Tensor:
        picks = torch.randperm(len(images.scenes), generator=generator)[: settings["batch"]]
        rng = randomness.dice("questions", int(generator.initial_seed()))
        questions = []
        for i in picks.tolist():
            known = images.questions[i]
            questions.append(rng.sample(known, min(len(known), settings["questions"])))
        packed = packer.pack(questions)
        if features is None:
            tokens = image_tokens(
                model, augment(images.pixels[picks], recipe["augment"], generator)
            )
        else:
            tokens = model.model.multi_modal_projector(features[picks].to(model.device))
        return answer_loss(answer_logits(model, packed, tokens), packed)

    return loss


def load_start(
    args: step_helpers.Training, stage: str, vision: Path, language: Path
) -> tuple[LlavaForConditionalGeneration, Any]:
    """Return the model and processor that a stage starts from."""
    if stage == "alignment":
        tokenizer = AutoTokenizer.from_pretrained(language.parent)
        clip = CLIPModel.from_pretrained(vision.parent)
        lm = LlamaForCausalLM.from_pretrained(language.parent)
        return build_llava(args.recipe["architecture"], clip, lm, tokenizer, args.seed)
    model = LlavaForConditionalGeneration.from_pretrained(vision.parent)
    return model, AutoProcessor.from_pretrained(vision.parent)


def trained_parameters(
    model: LlavaForConditionalGeneration, modules: tuple[str, ...]
) -> dict[str, torch.nn.Parameter]:
    """Freeze all parameters outside these modules; return the others by name."""
    names = {n: p for n, p in model.named_parameters() if {*modules} & {*n.split(".")}}
    model.requires_grad_(False)
    for parameter in names.values():
        parameter.requires_grad_(True)
    return names


@command
def main(
    *,
    stage: Literal["alignment", "instruction"],
    vision: Path,
    language: Path,
    args: step_helpers.Training,
) -> None:
    """Train one of the two stages."""
    recipe, root, settings = args.recipe, args.receipt.parent, args.recipe[stage]
    step_helpers.make_deterministic(settings["threads"])
    model, processor = load_start(args, stage, vision, language)
    model.to(args.place)  # type: ignore[arg-type]
    packer = Packer(processor.tokenizer, model.config.image_seq_length)
    train = load_images(root, "train", recipe["images"])
    held_out = load_images(root, "val", recipe["held_out"])
    curve = loop.fit(
        trained_parameters(model.train(), STAGES[stage]),
        make_loss(model, packer, train, recipe, settings),
        lambda: {
            name: value
            for condition in ("sighted", "blank")
            for name, value in accuracies(model, packer, held_out, condition).items()
        },
        settings,
        step_helpers.identity(args, stage, STEP, vision, language),
        step_helpers.checkpoint_path(args),
    )
    step_helpers.finish(args, stage, curve, [(model.requires_grad_(True), {}), (processor, {})])


if __name__ == "__main__":
    main()
