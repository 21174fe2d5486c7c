"""The section `behavior`."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from eyechart.plan.config.base import (
    BATCH,
    UNIQUE,
    Batch,
    Count,
    Draws,
    Few,
    Name,
    Names,
    Override,
    Section,
    Size,
    Unique,
    mistake,
    setting,
)

Condition = Literal["sighted", "blank", "noise", "swapped", "no_image"]


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
    orders: Few | Literal["all"] = setting(
        1, "cyclic orders of the options in the prompt; 1 is the given order only"
    )
    items: Literal["test", "all"] | None = setting(
        None,
        "`test`: items in the test part of the derived split; `all`: every item; null: `all` of "
        "your own data and where nothing is probed, else `test`",
    )
    most: Count | None = setting(None, "groups at most, drawn by the seed; null: all")
    greedy: Literal["none", "open", "all"] = setting(
        "open", "which items are answered in free text too; `open`: those without choices"
    )
    greedy_tokens: Size = setting(24, "longest free-text answer", unit="tokens")
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
        {}, "overrides by dataset: `{mmvp: {scoring: pmi}}`"
    )

    @model_validator(mode="after")
    def _sighted(self) -> "BehaviorSettings":
        if "sighted" not in self.conditions:
            raise mistake(
                "conditions", f" is {self.conditions}, expected 'sighted' among them: the others "
                "are compared with it"
            )  # fmt: skip
        return self
