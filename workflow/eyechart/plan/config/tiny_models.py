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

PRETRAIN = "clevr_pretrain"  # the dataset that the tiny models are trained on
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
# Only the training rules use this dataset. It has its own seed and rendering settings, so that the
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
    mlp: Size = setting(384, "hidden width in a block")
    heads: Few = setting(4, "attention heads")


class Architecture(Section):
    """The sizes of the tiny models."""

    image_px: Size = setting(80, "width and height that images are resized to", unit="px")
    patch_px: Size = setting(10, "width and height of a patch", unit="px")
    projection: Size = setting(64, "width of the space that images and captions share")
    vision_feature_layer: Annotated[int, Field(ge=-1000, le=1000)] = setting(
        -2, "encoder block that the connector reads, counted from the end"
    )
    vision: Tower = nested("vision encoder")
    text: Tower = nested("text tower", {"layers": 2})
    lm: Tower = nested("language model")


class Augment(Section):
    """How training images are varied; ``flip`` only because no question asks for left or right."""

    flip: bool = setting(True, "mirror every other image")
    shift_px: Natural = setting(4, "move an image by up to this distance", unit="px")
    brightness: NonNegative = setting(0.1, "largest relative change of brightness")


class TextScenes(Section):
    """What the language model reads about; these scenes are not rendered."""

    families: Families = setting(["query", "count", "exist"], "kinds of question")
    questions: QuestionCounts = nested("questions of each task about a scene")


class Stage(Section):
    """One training stage. ``threads`` change the order of float sums, so they belong here."""

    threads: Few = setting(1, "threads of the job")
    batch: Size = setting(48, "images or texts in a step")
    steps: Count = setting(..., "steps in all")
    lr: Rate = setting(2.0e-3, "highest learning rate; it warms up and falls along a cosine")
    lr_vision: NonNegative = setting(1.0, "share of it for the vision tower")
    weight_decay: NonNegative = setting(0.1, "AdamW's weight decay")
    warmup: Natural = setting(100, "steps until the highest learning rate")
    final_lr_share: Share = setting(0.02, "share of it at the end")
    clip_norm: Positive = setting(1.0, "largest norm of the gradient")
    log_every: Count = setting(20, "steps between two points of the curve")
    eval_every: Count = setting(200, "steps between two evaluations")
    checkpoint_every: Count = setting(100, "steps between two checkpoints")


class Contrastive(Stage):
    """``tiny_clip``, from images and captions."""

    batch: Size = setting(160, "images in a step")
    steps: Count = setting(1200, "steps in all")
    lr: Rate = setting(1.5e-3, "highest learning rate")


class Favourites(Section):
    """The colour that each shape has most often in the scenes of the language stage."""

    cube: str = setting("red", "colour of cubes")
    sphere: str = setting("blue", "colour of spheres")
    cylinder: str = setting("yellow", "colour of cylinders")


class Language(Stage):
    """The language model of ``tiny_llava_aligned``, from text alone."""

    scenes: Count = setting(30000, "scenes that it reads about")
    told_share: Share = setting(0.8, "how often a scene is described before its questions")
    favourites: Favourites = nested("each shape's most frequent colour")
    favourite_share: Share = setting(0.4, "how often an object has it")
    gap: Natural = setting(
        48,
        "positions left free at most behind the description, where an image is longer",
        unit="tokens",
    )
    steps: Count = setting(3600, "steps in all")
    warmup: Natural = setting(150, "steps until the highest learning rate")
    final_lr_share: Share = setting(0.05, "share of it at the end")


class Alignment(Stage):
    """The connector of ``tiny_llava_aligned``, from images, questions and answers."""

    questions: Count = setting(8, "questions packed behind one image")
    steps: Count = setting(300, "steps in all")
    weight_decay: NonNegative = setting(0.0, "AdamW's weight decay")
    warmup: Natural = setting(25, "steps until the highest learning rate")
    final_lr_share: Share = setting(0.05, "share of it at the end")
    eval_every: Count = setting(100, "steps between two evaluations")


class Instruction(Stage):
    """``tiny_llava``: all weights, from images, questions and answers."""

    batch: Size = setting(32, "images in a step")
    questions: Count = setting(12, "questions packed behind one image")
    steps: Count = setting(1600, "steps in all")
    lr: Rate = setting(1.0e-3, "highest learning rate")
    lr_vision: NonNegative = setting(0.5, "share of it for the vision tower")
    weight_decay: NonNegative = setting(0.05, "AdamW's weight decay")
    eval_every: Count = setting(400, "steps between two evaluations")


class Distillation(Stage):
    """``tiny_dino``, from images alone.

    ``augment`` does not apply: an encoder that takes mirrored images for equal cannot tell left
    from right.
    """

    crop: PositiveShare = setting(0.8, "smallest share of an image's area that a view keeps")
    brightness: NonNegative = setting(
        0.4, "largest relative change; if it is small, images are recognised by their light"
    )
    contrast: NonNegative = setting(0.4, "largest relative change")
    saturation: NonNegative = setting(0.3, "largest relative change")
    blur: Share = setting(0.3, "share of views that are blurred")
    noise: NonNegative = setting(0.05, "largest standard deviation of added noise; white is 1")
    masked: Annotated[float, Field(gt=0, le=0.5), AsWritten] = setting(
        0.4, "mean share of patches hidden from the student; a view's own is 0 to twice that"
    )
    prototypes: Annotated[int, Field(ge=2, le=65_536)] = setting(512, "outputs of each head")
    head_hidden: Size = setting(256, "width of a head's hidden layer")
    head_narrow: Size = setting(64, "width in which prototypes are compared")
    student_temperature: Positive = setting(0.1, "of the student's softmax")
    teacher_temperature: Positive = setting(0.05, "of the teacher's softmax")
    teacher_momentum: Share = setting(0.98, "share of the teacher that a step leaves unchanged")
    centre_momentum: Share = setting(
        0.9, "share of the centre of the teacher's outputs that a step leaves unchanged"
    )
    known: Count = setting(2000, "training images that vote in the curve")
    neighbours: Count = setting(5, "of them, how many vote on one image")
    batch: Size = setting(32, "images in a step")
    steps: Count = setting(900, "steps in all")
    weight_decay: NonNegative = setting(0.05, "AdamW's weight decay")
    eval_every: Count = setting(150, "steps between two evaluations")


class TrainingRecipe(Section):
    """All that decides the weights of the tiny models."""

    images: Count = setting(7500, "images trained on")
    held_out: Count = setting(400, "images of the split val that curves are measured on")
    vocabulary: Annotated[int, Field(ge=300, le=1_000_000)] = setting(
        400, "largest vocabulary of a tokenizer; bytes are always in it", unit="tokens"
    )
    architecture: Architecture = nested("sizes of the models")
    augment: Augment = nested("how training images are varied")
    text_scenes: TextScenes = nested("what the language model reads about")
    contrastive: Contrastive = nested("stage of `tiny_clip`")
    language: Language = nested("first stage of `tiny_llava_aligned`")
    alignment: Alignment = nested("second stage of `tiny_llava_aligned`")
    instruction: Instruction = nested("stage of `tiny_llava`")
    distillation: Distillation = nested("stage of `tiny_dino`")


class TinyModels(Section):
    """Where the tiny models come from. `snakemake train_tiny` trains them."""

    weights: Literal["shipped", "train"] = setting(
        "shipped", "`shipped`: take data/weights; `train`: train them from nothing"
    )
    seed: Seed = setting(7, "all randomness of their training is derived from it, not from `seed`")
    device: Literal["auto", "cpu", "cuda"] = setting(
        "auto", "where they are trained; on a GPU, float sums and hence weights differ"
    )
    recipe: TrainingRecipe = nested(
        "how they are trained; shipped weights of another recipe are refused"
    )
