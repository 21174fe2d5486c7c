"""Train a controlled model: a VLM from parts of other models, or an encoder on object labels.

All controlled models are trained on the same images with the same recipe, so any two differ in one
respect: the encoder, the mixture of two encoders, the connector, or which weights are trained. The
language model comes from another VLM. Reads the training images and the ``ready.json`` of the
encoders and of that VLM, in this order; writes a Hugging Face folder, with ``ready.json`` last, and
the curve.

    python -m eyechart.tiny_models.build_model --parts data/models/tiny_clip/ready.json
        data/models/tiny_llava_aligned/ready.json --receipt data/raw/training_scenes/acquired.json
        --recipe JSON --seed 7 --device cpu --output data/models/tiny_vlm_clip/ready.json
        --curve data/models/tiny_vlm_clip/curve.parquet
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm
from transformers import (
    AutoImageProcessor,
    AutoModel,
    AutoProcessor,
    GenerationConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
)

from eyechart.core import randomness
from eyechart.core.errors import UserError
from eyechart.core.step import Paths, command
from eyechart.models.mixture import QUERIED, Mixture, MixtureConfig, TowersConfig, inner_width
from eyechart.tiny_models import labels
from eyechart.tiny_models.answers import accuracies, patch_features
from eyechart.tiny_models.architectures import IMAGE, build_image_processor
from eyechart.tiny_models.images import MEAN, STD, TrainingImages, load_images, normalise
from eyechart.tiny_models.packing import Packer
from eyechart.tiny_models.train_llava import (
    ALL,
    CONNECTOR,
    CONNECTOR_AND_LM,
    make_loss,
    trained_parameters,
)
from eyechart.training import loop, step_helpers

STEP = "eyechart.tiny_models.build_model"
TRAINED = {"connector": CONNECTOR, "connector_and_lm": CONNECTOR_AND_LM, "all": ALL}
AT_ONCE = 32  # images per batch of features
READ = {"clip_vision_model": -2}  # MMVP reads this hidden state; otherwise the last


def encoder_of(folder: Path) -> tuple[Any, Any]:
    """Return the vision encoder of a checkpoint and its image processor."""
    model = AutoModel.from_pretrained(folder)
    return getattr(model, "vision_model", model), AutoImageProcessor.from_pretrained(folder)


def towers_config(encoders: list[tuple[Any, Any]], grid: int | None) -> TowersConfig:
    """Return the configuration of all encoders combined, with ``grid`` patches per side."""
    own = [encoder.config for encoder, _ in encoders]
    processor = encoders[0][1]
    pixels = grid * own[0].patch_size if grid else int(processor.crop_size["height"])
    return TowersConfig(
        towers=[config.to_dict() for config in own],
        layers=[READ.get(config.model_type, -1) for config in own],
        scale=[[MEAN] * 3, [STD] * 3],
        scales=[[list(p.image_mean), list(p.image_std)] for _, p in encoders],
        hidden_size=sum(config.hidden_size for config in own),
        image_size=pixels,
        patch_size=own[0].patch_size,
    )


def assemble(recipe: dict[str, Any], parts: list[Path], seed: int) -> tuple[Mixture, Any]:
    """Return a VLM of encoders, a new connector and a VLM's language model; and its processor.

    Raise a UserError if tokens of encoders with different widths are to be added.
    """
    how, (*folders, lm) = recipe["built"], [path.parent for path in parts]
    encoders = [encoder_of(folder) for folder in folders]
    base = LlavaForConditionalGeneration.from_pretrained(lm)
    tokenizer = AutoProcessor.from_pretrained(lm).tokenizer
    vision = towers_config(encoders, how["grid"])
    text: Any = base.config.text_config
    widths = [encoder.config.hidden_size for encoder, _ in encoders]
    if how["mix"] == "additive" and len(set(widths)) > 1:
        raise UserError(
            f"built.mix: the tokens of {' and '.join(folder.name for folder in folders)} are "
            f"{' and '.join(map(str, widths))} wide, expected equal widths; use interleaved"
        )
    patches = (vision.image_size // vision.patch_size) ** 2
    queries = recipe["queries"] if how["connector"] in QUERIED else 0
    tokens = (queries or patches) * (1 + (how["mix"] == "interleaved"))
    config = MixtureConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=tokenizer.convert_tokens_to_ids(IMAGE),
        image_seq_length=tokens,
        vision_feature_layer=-1,
        inner=inner_width(how["connector"], widths[0], text.hidden_size, queries),
        queries=queries,
        **{name: how[name] for name in ("connector", "mix", "share")},
    )
    model = start(config, encoders, base, seed)
    processor = LlavaProcessor(
        build_image_processor(vision.image_size),
        tokenizer,
        patch_size=vision.patch_size,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=tokens - patches + 1,
        chat_template=tokenizer.chat_template,
    )
    return model, processor


def start(config: MixtureConfig, encoders: list[tuple[Any, Any]], base: Any, seed: int) -> Mixture:
    """Return the model before training: only its connector is new, drawn from a seed of its own."""
    model = Mixture(config)
    for tower, (encoder, _) in zip(model.model.vision_tower.towers, encoders, strict=True):
        weights = tower.state_dict()
        tower.load_state_dict({k: v for k, v in encoder.state_dict().items() if k in weights})
    model.model.language_model.load_state_dict(base.model.language_model.state_dict())
    model.lm_head.load_state_dict(base.lm_head.state_dict())
    model.generation_config = GenerationConfig.from_model_config(config)
    model.generation_config.eos_token_id = base.config.text_config.eos_token_id
    torch.manual_seed(randomness.seed_for("initialise", seed, "connector") % 2**62)
    connector = type(model.model.multi_modal_projector)(config)
    model.model.multi_modal_projector.load_state_dict(connector.state_dict())
    return model


@torch.no_grad()
def fixed_features(model: Mixture, images: TrainingImages, folder: Path) -> torch.Tensor:
    """Return the frozen encoders' features of all patches, float32 (n, p, d).

    They are in a temporary file in ``folder``, since those of many images do not fit in memory.
    """
    folder.mkdir(parents=True, exist_ok=True)
    batches = tqdm(images.pixels.split(AT_ONCE), desc="features", unit="batch", mininterval=5)
    with tempfile.TemporaryFile(dir=folder) as file:
        for batch in batches:
            found = patch_features(model, normalise(batch)).float().cpu().numpy()
            file.write(found.tobytes())
        file.flush()
        shape = (len(images.pixels), *found.shape[1:])
        return torch.from_numpy(np.memmap(file, np.float32, "c", shape=shape))


def train_vlm(
    args: step_helpers.Training, parts: list[Path], train: TrainingImages, held_out: TrainingImages
) -> tuple[list[loop.Row], list[Any]]:
    """Train the parts of a VLM that the recipe lists; return the curve and the objects to save."""
    recipe, stage = args.recipe, args.recipe["stage"]
    model, processor = assemble(recipe, parts, args.seed)
    model.to(args.place)  # type: ignore[arg-type]
    packer = Packer(processor.tokenizer, model.config.image_seq_length)
    modules = TRAINED[recipe["built"]["trains"]]
    same = modules != ALL and not any(recipe["augment"].values())
    features = fixed_features(model, train, args.output.parent) if same else None
    curve = loop.fit(
        trained_parameters(model.train(), modules),
        make_loss(model, packer, train, recipe, stage, features),
        lambda: {
            name: value
            for condition in ("sighted", "blank")
            for name, value in accuracies(model, packer, held_out, condition).items()
        },
        stage,
        step_helpers.identity(args, "built", STEP, *parts),
        step_helpers.checkpoint_path(args),
    )
    return curve, [model.requires_grad_(True), processor]


@command
def main(*, parts: Paths, args: step_helpers.Training) -> None:
    """Train one model."""
    recipe, root = args.recipe, args.receipt.parent
    step_helpers.make_deterministic(recipe["stage"]["threads"])
    train = load_images(root, "train", recipe["images"])
    held_out = load_images(root, "val", recipe["held_out"])
    if parts:
        curve, saved = train_vlm(args, parts, train, held_out)
    else:
        curve, saved = labels.train_encoder(args, STEP, train, held_out)
    step_helpers.finish(args, "built", curve, [(one, {}) for one in saved])


if __name__ == "__main__":
    main()
