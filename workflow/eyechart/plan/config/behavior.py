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
        "the user turn, with the fields `{question}` and `{options}`, e.g. `(a) red (b) blue`",
    )
    scoring: Literal["sum", "mean", "pmi", "letter"] | None = setting(
        None,
        "score that decides among choices: the `sum` of their log-probability over tokens, its "
        "`mean` per token, `pmi` (minus the log-probability without question and image), or the "
        "log-probability of their `letter`, `(a)`; null: `letter` if the prompt shows `{options}`, "
        "otherwise `mean`",
    )
    orders: Few | Literal["all"] = setting(
        1, "number of cyclic orders of the options in the prompt; 1: the given order only"
    )
    items: Literal["test", "all"] | None = setting(
        None,
        "`test`: items in the test set of the derived split; `all`: every item; null: `all` for "
        "your own data and for datasets that are not probed, otherwise `test`",
    )
    most: Count | None = setting(None, "maximum number of groups, drawn with the seed; null: all")
    greedy: Literal["none", "open", "all"] = setting(
        "open", "which items are also answered in free text; `open`: items without choices"
    )
    greedy_tokens: Size = setting(24, "longest free-text answer", unit="tokens")
    statement: Annotated[str, Field(pattern=r"\{choice\}")] = setting(
        "{question} {choice}",
        "text that an encoder compares with the image, one per choice, with the fields "
        "`{question}` and `{choice}`",
    )
    caption: Annotated[str, Field(pattern=r"\{statement\}")] = setting(
        "{statement}",
        "text that an encoder compares if the dataset has a statement or caption, with the field "
        "`{statement}`",
    )
    batch_size: Batch = setting("auto", BATCH)


class QuestionOverride(QuestionSettings, Override):
    """Overrides of ``behavior`` for one dataset."""


class BehaviorSettings(QuestionSettings):
    """Questions to models. One job per model and dataset covers all conditions."""

    datasets: Names | None = setting(
        None,
        "datasets whose items models answer; null: all with questions. Encoders with a text tower "
        "also answer; statements in the layout `mmvp_vlm` are for encoders only",
    )
    conditions: Annotated[
        list[Condition],
        Field(min_length=1, json_schema_extra={"contains": {"const": "sighted"}}),
        Unique,
        UNIQUE,
    ] = setting(
        ["sighted", "blank", "noise", "swapped", "no_image"],
        "how the image is shown; must include `sighted`; `blank`: white; `swapped`: an image of "
        "another group; `no_image`: only for models with a language model",
    )
    vqa: Literal["official", "normalised"] = setting(
        "official",
        "answers normalised for VQA accuracy; `official`: as in the code of VQA v2, only if a "
        "question's references differ; `normalised`: all",
    )
    bootstrap: Draws = setting(1000, "draws of the bootstrap by group, for intervals")
    permutations: Draws = setting(
        362_880, "maximum draws of a permutation test; 9! tries all orders of nine"
    )
    by_dataset: dict[Name, QuestionOverride] = setting(
        {}, "overrides by dataset: `{mmvp: {scoring: pmi}}`"
    )

    @model_validator(mode="after")
    def _sighted(self) -> "BehaviorSettings":
        if "sighted" not in self.conditions:
            raise mistake(
                "conditions", f" is {self.conditions}, expected at least 'sighted', because the "
                    "others are compared with it"
            )  # fmt: skip
        return self
