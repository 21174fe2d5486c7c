"""The section `attention`."""

from eyechart.plan.config.base import Count, Draws, Names, Natural, Section, setting

BOOTSTRAP = "draws of the bootstrap by group behind the intervals"


class Attention(Section):
    """What a model attends to, and from which block on its answer is fixed: docs/attention.md."""

    datasets: Names | None = setting(
        None,
        "datasets whose items are traced, prompted as under `behavior`; null: all whose layout "
        "marks regions",
    )
    items: Count = setting(8, "items of each task, drawn by the seed")
    images: Natural = setting(2, "of those, items whose whole maps are stored")
    top: Count = setting(1, "words kept of every image token")
    bootstrap: Draws = setting(1000, BOOTSTRAP)
