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
    """Multinomial logistic regression, trained to its optimum; it has no settings."""


class MlpProbe(Section):
    """A probe with a hidden layer."""

    hidden: Size = setting(512, "width of the hidden layer; the default is that of VLM-Lens")


class Probes(Section):
    """The kinds of probe to train; null disables one."""

    linear: LinearProbe | None = nested("logistic regression", null_stays=False)
    mlp: MlpProbe | None = nested("the probe with a hidden layer", null_stays=False)

    @model_validator(mode="after")
    def _one(self) -> "Probes":
        if self.linear is None and self.mlp is None:
            raise mistake("mlp", " is null and so is linear, expected at least one kind of probe")
        return self


class QuestionTypes(Section):
    """When questions without a region are probed on images alone, one probe per question type."""

    groups: Count = setting(30, "minimum number of training groups of a type for it to be probed")
    answers: Count = setting(5, "minimum number of these groups with each of two answers")
    items: Count = setting(
        30, "minimum number of test items of these types; with fewer, no type is probed"
    )
    most: Count = setting(
        64, "maximum number of types per task; those with the most test items are kept"
    )


class Probing(Section):
    """How probes are trained and tested."""

    split: Literal["group", "official"] = setting(
        "group",
        "`group`: the derived split by group, see `test_share`; `official`: train on the split "
        "train, test on val",
    )
    device: Literal["cpu", "cuda", "mps"] = setting(
        "cpu", "device for training probes; a job requests a GPU unless this is `cpu`"
    )
    folds: Folds = setting(3, "folds of the cross-validation by group that selects penalties")
    seeds: Few = setting(3, "number of seeds for every probe: `seed`, `seed` + 1, …")
    bootstrap: Draws = setting(1000, "draws of the bootstrap by group, for intervals")
    probes: Probes = nested("the kinds of probe; null disables one")
    question_types: QuestionTypes = nested("questions probed on images alone, by type")
