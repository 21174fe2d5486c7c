"""Check that spans which are regions are asked of datasets whose items have regions."""

from collections.abc import Mapping, Sequence

from eyechart.core.address import REGION_SPANS
from eyechart.core.errors import UserError
from eyechart.plan.configuration import Config
from eyechart.plan.registry import LAYOUTS, layout_of


def check_regions(config: Config, stored: Mapping[str, Sequence[str]]) -> None:
    """Raise a UserError if no probed dataset has regions that are asked for, or one has no span.

    ``stored`` has the spans that are extracted of each probed dataset.
    """
    spans = config["extraction"]["spans"]
    for dataset in (name for name, own in stored.items() if not own):
        raise UserError(
            f"extraction.spans is only {', '.join(spans)}, but the items of {dataset!r} (layout "
            f"{config['datasets'][dataset]['layout']!r}) have no regions; add a span"
        )
    asked = [span for span in spans if span in REGION_SPANS]
    if asked and not any(layout_of(config, dataset).located for dataset in stored):
        known = ", ".join(name for name, layout in LAYOUTS.items() if layout.located)
        raise UserError(
            f"extraction.spans: {asked[0]!r} is a region of each item, and no dataset that is "
            f"probed has any; expected one with the layout {known}"
        )
