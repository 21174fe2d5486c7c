"""The section `tiny_models`: the recipe of the shipped models, and their training images."""

from typing import Annotated, Literal

from pydantic import Field

from eyechart.data.layouts.clevr.section import Families, QuestionCounts
from eyechart.plan.config.base import (
    AsWritten,
    Count,
    Few,
    Natural,
    NonNegative,
    Positive,
    PositiveShare,
    Rate,
    Section,
    Seed,
    Share,
    Size,
    nested,
    setting,
)

PRETRAIN = "clevr_pretrain"  # the training dataset of the tiny models
LOOK = {
    "image_px": [80, 80],
    "samples_per_pixel": 16,
    "objects": [1, 3],
    "extent": 1.3,
    "gap": 0.05,
    "min_visible_px": 30,
    "light_jitter": 1.0,
    "camera": {"position": [0, -9, 6], "target": [0, 0, 0.3], "fov": 22, "jitter": 0.3},
}
# Only the training rules use this dataset. It has its own seed and rendering settings, so the
# configuration of other datasets does not change the models.
TRAINED_ON = {
    "layout": "clevr",
    "source": "render",
    "seed": 7,
    "rendering": LOOK,
    "splits": {"train": 7500, "val": 400},
    "shards": 5,
    "questions": {"color": 3, "shape": 2, "material": 2, "size": 2, "number": 3, "boolean": 3},
    "tasks": [],
}


class Tower(Section):
    """The size of one transformer."""

    layers: Few = setting(4, "blocks")
    width: Size = setting(128, "width of the residual stream")
    mlp: Size = setting(384, "hidden width of a block's MLP")
    heads: Few = setting(4, "attention heads")


class Architecture(Section):
    """The sizes of the tiny models."""

    image_px: Size = setting(80, "width and height of resized images", unit="px")
    patch_px: Size = setting(10, "width and height of a patch", unit="px")
    projection: Size = setting(64, "width of the shared space of images and captions")
    vision_feature_layer: Annotated[int, Field(ge=-1000, le=1000)] = setting(
        -2, "encoder block read by the connector, counted from the end"
    )
    vision: Tower = nested("vision encoder")
    text: Tower = nested("text tower", {"layers": 2})
    lm: Tower = nested("language model")


class Augment(Section):
    """Augmentation of training images. ``flip`` is safe: no question asks about left or right."""

    flip: bool = setting(True, "mirror every other image")
    shift_px: Natural = setting(4, "maximum shift of an image", unit="px")
    brightness: NonNegative = setting(0.1, "maximum relative change of brightness")


class TextScenes(Section):
    """Scenes described to the language model; they are not rendered."""

    families: Families = setting(["query", "count", "exist"], "kinds of question")
    questions: QuestionCounts = nested("questions of each task per scene")


class Stage(Section):
    """One training stage. ``threads`` is included because it changes floating-point sums."""

    threads: Few = setting(1, "threads of the job")
    batch: Size = setting(48, "images or texts per step")
    steps: Count = setting(..., "total number of steps")
    lr: Rate = setting(2.0e-3, "peak learning rate, with warm-up and cosine decay")
    lr_vision: NonNegative = setting(1.0, "learning rate of the vision tower, relative to `lr`")
    weight_decay: NonNegative = setting(0.1, "AdamW's weight decay")
    warmup: Natural = setting(100, "steps until the peak learning rate")
    final_lr_share: Share = setting(0.02, "final learning rate, relative to `lr`")
    clip_norm: Positive = setting(1.0, "maximum norm of the gradient")
    log_every: Count = setting(20, "steps between points of the curve")
    eval_every: Count = setting(200, "steps between evaluations")
    checkpoint_every: Count = setting(100, "steps between checkpoints")


class Contrastive(Stage):
    """``tiny_clip``, from images and captions."""

    batch: Size = setting(160, "images per step")
    steps: Count = setting(1200, "total number of steps")
    lr: Rate = setting(1.5e-3, "peak learning rate")


class Favourites(Section):
    """The most frequent colour of each shape in the scenes of the language stage."""

    cube: str = setting("red", "colour of cubes")
    sphere: str = setting("blue", "colour of spheres")
    cylinder: str = setting("yellow", "colour of cylinders")


class Language(Stage):
    """The language model of ``tiny_llava_aligned``, from text alone."""

    scenes: Count = setting(30000, "scenes described to it")
    told_share: Share = setting(0.8, "share of scenes described before their questions")
    favourites: Favourites = nested("each shape's most frequent colour")
    favourite_share: Share = setting(0.4, "share of objects with this colour")
    gap: Natural = setting(
        48,
        "maximum number of positions left free after the description, because an image is longer",
        unit="tokens",
    )
    steps: Count = setting(3600, "total number of steps")
    warmup: Natural = setting(150, "steps until the peak learning rate")
    final_lr_share: Share = setting(0.05, "final learning rate, relative to `lr`")


class Alignment(Stage):
    """The connector of ``tiny_llava_aligned``, from images, questions and answers."""

    questions: Count = setting(8, "questions packed after one image")
    steps: Count = setting(300, "total number of steps")
    weight_decay: NonNegative = setting(0.0, "AdamW's weight decay")
    warmup: Natural = setting(25, "steps until the peak learning rate")
    final_lr_share: Share = setting(0.05, "final learning rate, relative to `lr`")
    eval_every: Count = setting(100, "steps between evaluations")


class Instruction(Stage):
    """``tiny_llava``: all weights, from images, questions and answers."""

    batch: Size = setting(32, "images per step")
    questions: Count = setting(12, "questions packed after one image")
    steps: Count = setting(1600, "total number of steps")
    lr: Rate = setting(1.0e-3, "peak learning rate")
    lr_vision: NonNegative = setting(0.5, "learning rate of the vision tower, relative to `lr`")
    weight_decay: NonNegative = setting(0.05, "AdamW's weight decay")
    eval_every: Count = setting(400, "steps between evaluations")


class Distillation(Stage):
    """``tiny_dino``, from images alone.

    ``augment`` does not apply: an encoder that treats mirrored images as equal cannot distinguish
    left from right.
    """

    crop: PositiveShare = setting(0.8, "minimum share of an image's area that a view keeps")
    brightness: NonNegative = setting(
        0.4, "maximum relative change; if it is small, images are recognised by their lighting"
    )
    contrast: NonNegative = setting(0.4, "maximum relative change")
    saturation: NonNegative = setting(0.3, "maximum relative change")
    blur: Share = setting(0.3, "share of views that are blurred")
    noise: NonNegative = setting(0.05, "maximum standard deviation of added noise; white is 1")
    masked: Annotated[float, Field(gt=0, le=0.5), AsWritten] = setting(
        0.4,
        "mean share of patches hidden from the student; the share of one view is 0 to twice this",
    )
    prototypes: Annotated[int, Field(ge=2, le=65_536)] = setting(512, "outputs of each head")
    head_hidden: Size = setting(256, "width of a head's hidden layer")
    head_narrow: Size = setting(64, "bottleneck width in which prototypes are compared")
    student_temperature: Positive = setting(0.1, "temperature of the student's softmax")
    teacher_temperature: Positive = setting(0.05, "temperature of the teacher's softmax")
    teacher_momentum: Share = setting(0.98, "momentum of the teacher's moving average")
    centre_momentum: Share = setting(
        0.9, "momentum of the moving average that centres the teacher's outputs"
    )
    known: Count = setting(2000, "training images that vote in the k-NN accuracy of the curve")
    neighbours: Count = setting(5, "nearest neighbours that vote on one image")
    batch: Size = setting(32, "images per step")
    steps: Count = setting(900, "total number of steps")
    weight_decay: NonNegative = setting(0.05, "AdamW's weight decay")
    eval_every: Count = setting(150, "steps between evaluations")


class TrainingRecipe(Section):
    """Everything that determines the weights of the tiny models."""

    images: Count = setting(7500, "number of training images")
    held_out: Count = setting(400, "held-out images of the split val for the curves")
    vocabulary: Annotated[int, Field(ge=300, le=1_000_000)] = setting(
        400, "maximum vocabulary of a tokenizer; it always includes all bytes", unit="tokens"
    )
    architecture: Architecture = nested("sizes of the models")
    augment: Augment = nested("augmentation of training images")
    text_scenes: TextScenes = nested("scenes described to the language model")
    contrastive: Contrastive = nested("stage of `tiny_clip`")
    language: Language = nested("first stage of `tiny_llava_aligned`")
    alignment: Alignment = nested("second stage of `tiny_llava_aligned`")
    instruction: Instruction = nested("stage of `tiny_llava`")
    distillation: Distillation = nested("stage of `tiny_dino`")


class TinyModels(Section):
    """Source of the tiny models. `snakemake train_tiny` trains them."""

    weights: Literal["shipped", "train"] = setting(
        "shipped", "`shipped`: use data/weights; `train`: train from scratch"
    )
    seed: Seed = setting(
        7, "seed of all randomness in their training, used instead of the global `seed`"
    )
    device: Literal["auto", "cpu", "cuda"] = setting(
        "auto", "training device; on a GPU, floating-point sums differ, and so do the weights"
    )
    recipe: TrainingRecipe = nested(
        "training recipe; shipped weights of another recipe are rejected"
    )
