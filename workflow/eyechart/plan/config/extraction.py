"""The sections `loading` and `extraction`: how models run, and which activations are stored."""

from typing import Annotated, Literal

from pydantic import Field

from eyechart.plan.config.base import (
    BATCH,
    UNIQUE,
    Batch,
    Name,
    Override,
    Section,
    Span,
    Texts,
    Unique,
    setting,
)

OfRegions = Literal["referent", "referent_center", "other_object", "image_tokens"]


class LoadingSettings(Section):
    """The keys of ``loading`` that may differ between models."""

    device: Literal["auto", "cpu", "cuda", "mps"] = setting(
        "auto", "`auto` uses a GPU if there is one"
    )
    dtype: Literal["float32", "bfloat16", "float16"] | None = setting(
        None, "precision of weights and forward pass; null: as in the model's spec"
    )
    attention: Literal["eager", "sdpa", "flash_attention_2"] | None = setting(
        None, "attention implementation; null: as in the model's spec"
    )
    spread: bool = setting(False, "distribute the model's blocks over all GPUs of the job")
    bits: Literal[8, 4] | None = setting(
        None, "quantise the weights of linear layers (bitsandbytes); null: no", unit="bits"
    )


class LoadingOverride(LoadingSettings, Override):
    """Overrides of ``loading`` for one model."""


class Loading(LoadingSettings):
    """How models are loaded. Activations depend on it, so a change reruns the extraction."""

    models: dict[Name, LoadingOverride] = setting(
        {}, "overrides by model: `{llava_1_5_7b: {bits: 4}}`"
    )


class Extraction(Section):
    """Which activations are stored."""

    addresses: Texts = setting(
        ["vision.*", "connector", "lm.*", "lm.norm"],
        "layers: `vision.3`, `connector`, `lm.2`, `lm.norm`, globs such as `lm.*`, or a model's "
        "own module paths",
    )
    spans: Annotated[list[Span | OfRegions], Field(min_length=1), Unique, UNIQUE] = setting(
        ["cls", "image_mean", "last"],
        "pooled tokens; `referent`: tokens in the item's region, `referent_center`: at its middle, "
        "`other_object`: at another object of the image; `image_tokens`: every image token, "
        "unpooled",
    )
    dtype: Literal["float16", "float32"] = setting("float16", "precision of stored activations")
    batch_size: Batch = setting("auto", BATCH)
    prompt: Annotated[str, Field(pattern=r"\{question\}")] = setting(
        "{question}", "the user turn, with the field `{question}`; encoders do not read it"
    )
