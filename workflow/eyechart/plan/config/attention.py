"""The section `attention`."""

from eyechart.plan.config.base import Count, Draws, Names, Natural, Section, setting

BOOTSTRAP = "draws of the bootstrap by group, for intervals"


class Attention(Section):
    """Attention of models, and the block that fixes the answer: docs/attention.md."""

    datasets: Names | None = setting(
        None,
        "datasets with traced items, prompted as under `behavior`; null: all with a layout that "
        "marks regions",
    )
    items: Count = setting(8, "items per task, drawn with the seed")
    images: Natural = setting(2, "number of these items with stored full maps")
    top: Count = setting(1, "words kept per image token")
    bootstrap: Draws = setting(1000, BOOTSTRAP)
