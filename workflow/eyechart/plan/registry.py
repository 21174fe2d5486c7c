"""The layouts of datasets. A new layout is added only to this list.

Each line names a folder of the package with a module ``section``. The module defines the model of a
dataset's section in the configuration; its ``LAYOUT`` states the layout's requirements on the
workflow. Snakemake imports the module at parse time, so it must not import numpy or torch.
"""

import importlib
from typing import Any, get_args

from eyechart.plan.config.dataset import Dataset
from eyechart.plan.layout import Layout

FOLDERS = (
    "data.layouts.clevr",
    "data.layouts.coco",
    "data.layouts.mmvp",
    "data.layouts.mmvp_vlm",
    "data.layouts.blink",
    "data.layouts.cv_bench",
    "data.layouts.mochi",
    "data.layouts.spair",
    "data.layouts.hpatches",
    "data.layouts.nyuv2",
    "data.layouts.stroop",
    "data.own",
)


def _section(folder: str) -> type[Dataset]:
    found: type[Dataset] = importlib.import_module(f"eyechart.{folder}.section").SECTION
    return found


def _names(section: type[Dataset]) -> tuple[str, ...]:
    names: tuple[str, ...] = get_args(section.model_fields["layout"].annotation)
    return names


SECTIONS = [_section(folder) for folder in FOLDERS]
LAYOUTS: dict[str, Layout] = {
    name: section.LAYOUT for section in SECTIONS for name in _names(section)
}


def layout_of(config: dict[str, Any], dataset: str) -> Layout:
    """Return the layout of a dataset in a validated configuration."""
    return LAYOUTS[config["datasets"][dataset]["layout"]]
