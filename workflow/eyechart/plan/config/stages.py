"""The sections `loading`, `extraction`, `probing`, `behavior` and `mining`."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from eyechart.plan.config.base import (
    UNIQUE,
    Batch,
    Cosine,
    Count,
    Draws,
    Name,
    Names,
    Override,
    Section,
    Span,
    Texts,
    Unique,
    mistake,
    nested,
    setting,
)

Condition = Literal["sighted", "blank", "noise", "swapped", "no_image"]
BATCH = (
    "images, or prompts, in one forward pass; `auto` starts with 64, halves it whenever memory "
    "runs out, and goes on with what fitted"
)


class LoadingSettings(Section):
    """The keys of ``loading`` that may differ between models."""

    device: Literal["auto", "cpu", "cuda", "mps"] = setting(
        "auto", "`auto` takes a GPU where there is one"
    )
    dtype: Literal["float32", "bfloat16", "float16"] | None = setting(
        None, "precision of weights and forward pass; null: what the model's spec says"
    )
    attention: Literal["eager", "sdpa", "flash_attention_2"] | None = setting(
        None, "attention implementation; null: what the model's spec says"
    )
    spread: bool = setting(False, "lay the model's blocks over all GPUs of the job")
    bits: Literal[8, 4] | None = setting(
        None, "quantise the weights of linear layers (bitsandbytes); null: not", unit="bits"
    )


class LoadingOverride(LoadingSettings, Override):
    """What differs from ``loading`` for one model."""


class Loading(LoadingSettings):
    """How models are brought into memory. Numbers depend on it, so a change extracts again."""

    models: dict[Name, LoadingOverride] = setting(
        {}, "by model, what differs for it: `{llava_1_5_7b: {bits: 4}}`"
    )


class Extraction(Section):
    """Which activations are stored."""

    addresses: Texts = setting(
        ["vision.*", "connector", "lm.*", "lm.norm"],
        "layers: `vision.3`, `connector`, `lm.2`, `lm.norm`, globs such as `lm.*`, or a model's "
        "own module paths",
    )
    spans: Annotated[list[Span | Literal["image_tokens"]], Field(min_length=1), Unique, UNIQUE] = (
        setting(
            ["cls", "image_mean", "last"],
            "which tokens are pooled there; `image_tokens` keeps each",
        )
    )
    dtype: Literal["float16", "float32"] = setting("float16", "precision of stored activations")
    batch_size: Batch = setting("auto", BATCH)
    prompt: Annotated[str, Field(pattern=r"\{question\}")] = setting(
        "{question}", "the user's turn, with the field `{question}`; encoders do not read it"
    )


class LinearProbe(Section):
    """Multinomial logistic regression at its optimum; it has no settings."""


class MlpProbe(Section):
    """The probe with a hidden layer."""

    hidden: Count = setting(512, "width of the hidden layer; the default is VLM-Lens'")


class Probes(Section):
    """The kinds of probe that are trained; null switches one off."""

    linear: LinearProbe | None = nested("logistic regression", null_stays=False)
    mlp: MlpProbe | None = nested("the probe with a hidden layer", null_stays=False)

    @model_validator(mode="after")
    def _one(self) -> "Probes":
        if self.linear is None and self.mlp is None:
            raise mistake("mlp", " is None like the other, expected at least one kind of probe")
        return self


class Probing(Section):
    """How probes are trained and tested."""

    split: Literal["group", "official"] = setting(
        "group",
        "`group`: the derived split by group, see `test_share`; `official`: train on the split "
        "train, test on val",
    )
    device: Literal["cpu", "cuda", "mps"] = setting(
        "cpu", "where probes are trained; a job asks for a GPU unless this is `cpu`"
    )
    folds: Annotated[int, Field(ge=2)] = setting(
        3, "folds of the cross-validation by group that chooses penalties"
    )
    seeds: Count = setting(3, "every probe is trained with so many seeds: `seed`, `seed` + 1, …")
    bootstrap: Draws = setting(1000, "draws of the bootstrap by group behind the intervals")
    probes: Probes = nested("the kinds of probe; null switches one off")


class QuestionSettings(Section):
    """The keys of ``behavior`` that may differ between datasets."""

    prompt: Annotated[str, Field(pattern=r"\{question\}")] = setting(
        "{question}",
        "the user's turn, with the fields `{question}` and `{options}`: `(a) red (b) blue`",
    )
    scoring: Literal["sum", "mean", "pmi", "letter"] | None = setting(
        None,
        "what decides among choices: their log-probability summed over tokens, its `mean` per "
        "token, `pmi` (minus the log-probability without question and image), or that of their "
        "`letter`, `(a)`; null: `letter` where the prompt shows `{options}`, else `mean`",
    )
    orders: Count | Literal["all"] = setting(
        1, "cyclic orders of the options in the prompt; 1 is the given order only"
    )
    items: Literal["test", "all"] = setting(
        "test", "`test`: items in the test part of the derived split; `all`: every item"
    )
    most: Count | None = setting(None, "groups at most, drawn by the seed; null: all")
    greedy: Literal["none", "open", "all"] = setting(
        "open", "which items are answered in free text too; `open`: those without choices"
    )
    greedy_tokens: Count = setting(24, "longest free-text answer", unit="tokens")
    statement: Annotated[str, Field(pattern=r"\{choice\}")] = setting(
        "{question} {choice}",
        "what an encoder compares with the image, one per choice, with the fields `{question}` and "
        "`{choice}`",
    )
    caption: Annotated[str, Field(pattern=r"\{statement\}")] = setting(
        "{statement}",
        "what it compares where the dataset has a statement or caption, with the field "
        "`{statement}`",
    )
    batch_size: Batch = setting("auto", BATCH)


class QuestionOverride(QuestionSettings, Override):
    """What differs from ``behavior`` for one dataset."""


class BehaviorSettings(QuestionSettings):
    """What models are asked. One job per model and dataset asks under every condition."""

    datasets: Names | None = setting(
        None,
        "datasets whose items models answer; null: all that have questions. Encoders with a text "
        "tower answer too; statements of the layout `mmvp_vlm` are for encoders only",
    )
    conditions: Annotated[
        list[Condition],
        Field(min_length=1, json_schema_extra={"contains": {"const": "sighted"}}),
        Unique,
        UNIQUE,
    ] = setting(
        ["sighted", "blank", "noise", "swapped", "no_image"],
        "how the image is shown, `sighted` at least; `blank`: white; `swapped`: an image of "
        "another group; `no_image`: models with a language model only",
    )
    vqa: Literal["official", "normalised"] = setting(
        "official",
        "which answers VQA accuracy normalises: `official`: as the code of VQA v2, only those to "
        "questions whose references differ; `normalised`: all",
    )
    bootstrap: Draws = setting(1000, "draws of the bootstrap by group behind the intervals")
    permutations: Draws = setting(
        362_880, "draws of a permutation test where there are more; 9! tries all orders of nine"
    )
    by_dataset: dict[Name, QuestionOverride] = setting(
        {}, "by dataset, what differs for it: `{mmvp: {scoring: pmi}}`"
    )

    @model_validator(mode="after")
    def _sighted(self) -> "BehaviorSettings":
        if "sighted" not in self.conditions:
            raise mistake(
                "conditions", f" is {self.conditions}, expected 'sighted' among them: the others "
                "are compared with it"
            )  # fmt: skip
        return self


class Mining(Section):
    """Pairs of images, alike to one encoder and different to another (CLIP-blind pairs)."""

    pairs: list[Annotated[list[str], Field(min_length=2, max_length=2), Unique, UNIQUE]] = setting(
        [], "pairs of models: images alike to the first and different to the second are found"
    )
    datasets: Names | None = setting(
        None, "datasets whose images are compared; null: those with tasks, if there are pairs"
    )
    vectors: dict[Name, Annotated[str, Field(pattern=r"^[^/]+/(cls|image_mean)$")]] = setting(
        {},
        "by model, the extracted address and span that represents an image, e.g. `connector/cls`",
    )
    similar: Cosine = setting(0.95, "images are alike to the first above this cosine")
    different: Cosine = setting(0.6, "and different to the second below this cosine")
    centre: bool = setting(True, "subtract the mean over all images first; the paper does not")
    block: Annotated[int, Field(ge=16)] = setting(
        2048, "images compared at once; decides the memory, not the result"
    )
    most: Count = setting(200, "pairs kept at most, the clearest first")
