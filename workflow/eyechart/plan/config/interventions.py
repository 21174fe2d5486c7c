"""The section `interventions`."""

from typing import Literal

from eyechart.plan.config.base import (
    Batch,
    Count,
    Name,
    Names,
    Natural,
    Section,
    TasksOf,
    Texts,
    nested,
    setting,
)


class PatchSettings(Section):
    """Patching with states from a run on another image with the same question."""

    tokens: list[Literal["image", "referent", "question", "last"]] = setting(
        ["image", "referent", "question", "last"],
        "tokens with exchanged states: the whole image, the item's region, the question, or the "
        "answer position",
    )
    directions: list[Literal["noise", "denoise"]] = setting(
        ["noise", "denoise"],
        "`noise`: the donor's states in the item's run; `denoise`: the item's in the donor's",
    )


class KnockoutSettings(Section):
    """Attention knockout."""

    queries: list[Literal["question", "last", "text"]] = setting(
        ["question", "last", "text"],
        "tokens that cannot attend: the question, the answer position, or both",
    )
    keys: list[Literal["image", "referent"]] = setting(
        ["image", "referent"], "image tokens that they cannot attend to"
    )
    window: Count | None = setting(
        3,
        "blocks in a window that slides over the model, in addition to single blocks and to each "
        "block with all later ones; null: no window",
    )


class AblateSettings(Section):
    """Ablation by the mean image token."""

    tokens: list[Literal["image", "referent"]] = setting(
        ["image", "referent"], "image tokens that are replaced by the mean image token"
    )


class EraseSettings(Section):
    """Erasure of concepts by LEACE."""

    concepts: list[Name] | None = setting(
        None, "tasks whose answers are erased; null: all edited tasks with marked regions"
    )
    random: Natural = setting(
        2, "number of erasers of random subspaces of the same rank, as a control"
    )
    permuted: Natural = setting(1, "number of erasers of permuted labels, as a control")


class InterventionsSettings(Section):
    """Tests of which states and attention a model's answers depend on: docs/interventions.md."""

    datasets: Names = setting(
        [], "datasets with items answered under interventions, prompted as under `behavior`"
    )
    models: Names | None = setting(None, "models to edit; null: all with a language model")
    tasks: TasksOf = setting(
        {},
        "by dataset, tasks to edit: `{clevr: [color]}`; all tasks of datasets that are not listed",
    )
    edits: Texts = setting(["patch", "knockout", "ablate", "erase"], "kinds of edit")
    items: Count = setting(50, "items per task, drawn with the seed from the test groups")
    training: Count = setting(300, "items per task, from the training groups, for fitting erasers")
    addresses: Texts = setting(
        ["connector", "lm.*"], "addresses: the connector and blocks of the language model"
    )
    batch_size: Batch = setting(64, "items per forward pass; `auto` as under `extraction`")
    patch: PatchSettings = nested("states from another image")
    knockout: KnockoutSettings = nested("attention that is cut")
    ablate: AblateSettings = nested("image tokens that are replaced by their mean")
    erase: EraseSettings = nested("concepts erased from image tokens")
