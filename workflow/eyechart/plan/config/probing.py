"""The section `probing`."""

from typing import Literal

from pydantic import model_validator

from eyechart.plan.config.base import (
    Count,
    Draws,
    Few,
    Folds,
    Section,
    Size,
    mistake,
    nested,
    setting,
)


class LinearProbe(Section):
    """Multinomial logistic regression at its optimum; it has no settings."""


class MlpProbe(Section):
    """The probe with a hidden layer."""

    hidden: Size = setting(512, "width of the hidden layer; the default is VLM-Lens'")


class Probes(Section):
    """The kinds of probe that are trained; null switches one off."""

    linear: LinearProbe | None = nested("logistic regression", null_stays=False)
    mlp: MlpProbe | None = nested("the probe with a hidden layer", null_stays=False)

    @model_validator(mode="after")
    def _one(self) -> "Probes":
        if self.linear is None and self.mlp is None:
            raise mistake("mlp", " is None like the other, expected at least one kind of probe")
        return self


class QuestionTypes(Section):
    """When a question without a region is asked of images alone, by a probe per question type."""

    groups: Count = setting(30, "fewest training groups of a type that has a probe")
    answers: Count = setting(5, "and fewest of these groups with each of two answers")
    items: Count = setting(30, "fewest test items of such types; with fewer no type is probed")
    most: Count = setting(64, "most types of a task, those with most test items")


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
    folds: Folds = setting(3, "folds of the cross-validation by group that chooses penalties")
    seeds: Few = setting(
        3, "number of seeds that every probe is trained with: `seed`, `seed` + 1, …"
    )
    bootstrap: Draws = setting(1000, "draws of the bootstrap by group behind the intervals")
    probes: Probes = nested("the kinds of probe; null switches one off")
    question_types: QuestionTypes = nested("questions asked of images alone, by their type")
