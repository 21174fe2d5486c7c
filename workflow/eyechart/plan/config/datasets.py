"""The sections of all datasets; each is checked by its layout's model."""

from typing import TYPE_CHECKING, Annotated, Union

from pydantic import Field

from eyechart.plan.config.base import Name
from eyechart.plan.config.dataset import Dataset
from eyechart.plan.registry import SECTIONS

if TYPE_CHECKING:
    AnyDataset = Dataset
else:
    AnyDataset = Annotated[Union[tuple(SECTIONS)], Field(discriminator="layout")]  # noqa: UP007
Datasets = Annotated[dict[Name, AnyDataset], Field(min_length=1)]
