"""An item's image with the attention of some blocks laid over it, marked regions outlined."""

from collections.abc import Sequence

from PIL import Image

from eyechart.core.address import sort_key
from eyechart.report.overlays import SMALLEST, over_image
from eyechart.report.sections.attention.load import TracedImage


def sheet(example: TracedImage, layers: int, width: int = SMALLEST) -> Image.Image:
    """Draw the image, then the same under the attention of some blocks, then the colours.

    Parameters
    ----------
    layers : how many blocks, spread evenly from the first to the last
    width : of each panel, in pixels; an image that is wider is shrunk
    """
    chosen = spread(list(example.maps), layers)
    panels = [(f"{a}, mean over heads", example.maps[a], example.places) for a in chosen]
    return over_image(example, panels, width)


def spread(addresses: Sequence[str], most: int) -> list[str]:
    """Return some addresses, evenly from the first to the last.

    >>> spread(["lm.0", "lm.1", "lm.2", "lm.3", "lm.4"], 3)
    ['lm.0', 'lm.2', 'lm.4']
    """
    ordered = sorted(addresses, key=sort_key)
    if len(ordered) <= most:
        return ordered
    if most == 1:
        return ordered[-1:]
    return [ordered[round(n * (len(ordered) - 1) / (most - 1))] for n in range(most)]
