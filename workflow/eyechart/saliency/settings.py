"""Settings of the saliency stage."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image, ImageStat

from eyechart.inference.chosen_items import Item
from eyechart.inference.prompts import AskedInOrder, check_template

RIGHT = "right"
WHITE = (255, 255, 255)


@dataclass(frozen=True)
class SaliencySettings(AskedInOrder):
    """The config section ``saliency``.

    Attributes
    ----------
    methods : names in the registry
    items : maximum number of items per task, drawn from the test groups
    addresses, cam_addresses : patterns, the latter for Grad-CAM; null: see ``method_addresses``
    target : ``right`` or a choice
    baseline, steps : for integrated gradients: a ``blank`` or ``mean`` image, and the number of
        points on the path
    points, random : for deletion: numbers of shares of replaced tokens, and of random orders
    batch_size : items in one forward pass
    statement : template of the text that an encoder compares, as in the behavior stage
    """

    methods: list[str]
    items: int
    addresses: list[str] | None
    cam_addresses: list[str] | None
    target: str
    baseline: str
    steps: int
    points: int
    random: int
    batch_size: int | str
    statement: str

    def __post_init__(self) -> None:
        self.style()
        check_template("statement", self.statement, ("question", "choice"))

    def choice_of(self, item: Item) -> str:
        """Return the choice whose score is explained."""
        return str(item["answer"]) if self.target == RIGHT else self.target

    def blank(self, image: Image.Image) -> Image.Image:
        """Return an image's baseline: white, as in the condition blank, or its mean colour."""
        mean = tuple(map(round, ImageStat.Stat(image).mean))
        return Image.new("RGB", image.size, WHITE if self.baseline == "blank" else mean)
