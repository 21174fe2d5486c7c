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
    """Patching: states from a run on another image, with the same question."""

    tokens: list[Literal["image", "referent", "question", "last"]] = setting(
        ["image", "referent", "question", "last"],
        "tokens whose states are exchanged: of the whole image, of what the item is about, of the "
        "question, of the answer position",
    )
    directions: list[Literal["noise", "denoise"]] = setting(
        ["noise", "denoise"],
        "`noise`: the donor's states in the item's run; `denoise`: the item's in the donor's",
    )


class KnockoutSettings(Section):
    """Attention knockout."""

    queries: list[Literal["question", "last", "text"]] = setting(
        ["question", "last", "text"],
        "tokens that cannot attend: of the question, the answer position, or both",
    )
    keys: list[Literal["image", "referent"]] = setting(
        ["image", "referent"], "image tokens that they cannot attend to"
    )
    window: Count | None = setting(
        3,
        "blocks in a window that slides over the model, besides single blocks and all blocks "
        "from one on; null: no window",
    )


class AblateSettings(Section):
    """Ablation by the mean image token."""

    tokens: list[Literal["image", "referent"]] = setting(
        ["image", "referent"], "image tokens that are replaced by the mean image token"
    )


class EraseSettings(Section):
    """Erasure of concepts by LEACE."""

    concepts: list[Name] | None = setting(
        None, "tasks whose answers are erased; null: those edited that have marked regions"
    )
    random: Natural = setting(2, "erasers of random subspaces of the same rank, as a control")
    permuted: Natural = setting(1, "erasers of permuted labels, as a control")


class InterventionsSettings(Section):
    """The states and attention that a model's answers depend on: docs/interventions.md."""

    datasets: Names = setting(
        [], "datasets whose items are answered under interventions, prompted as under `behavior`"
    )
    models: Names | None = setting(None, "models that are edited; null: all with a language model")
    tasks: TasksOf = setting(
        {}, "by dataset, tasks whose items are edited: `{clevr: [color]}`; of other datasets, all"
    )
    edits: Texts = setting(["patch", "knockout", "ablate", "erase"], "kinds of edit that are made")
    items: Count = setting(50, "items of each task, drawn by the seed from the test groups")
    training: Count = setting(
        300, "items of each task, from the training groups, that erasers are fitted on"
    )
    addresses: Texts = setting(
        ["connector", "lm.*"], "where: the connector, blocks of the language model"
    )
    batch_size: Batch = setting(64, "items in one forward pass; `auto` as under `extraction`")
    patch: PatchSettings = nested("states from another image")
    knockout: KnockoutSettings = nested("attention that is cut")
    ablate: AblateSettings = nested("image tokens that are replaced by their mean")
    erase: EraseSettings = nested("concepts that image tokens lose")
