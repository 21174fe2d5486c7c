"""The two tables of a dataset: items and images."""

from collections.abc import Iterable

import pyarrow as pa

from eyechart.tables.parquet import schema

ITEMS = schema(
    "item_id split group_split group: string",
    "images: list of string",
    "prompt: string",
    "choices: list of string",
    "answer task type pair meta: string",
)
"""One row per item, sorted by `item_id`.

item_id: Name of the item, unique in the dataset
split: Official split of the dataset
group_split: `train` or `test`, drawn by group
images: Ids of its images, in order
prompt: Text of the question
choices: Possible answers; empty for an open question
answer: The true choice, or the reference text; null if unknown
task: Name of the task
type: Input type of the control task of Hewitt & Liang: equal types get equal random labels
pair: Name of the pair of items scored together; null for unpaired items
meta: Further data about the item, as JSON; `asks` is the meaning of a question, equal for all its
  wordings
"""

IMAGES = schema(
    "image_id split group_split group path sha256: string", "width height: int32", "type: string"
)
"""One row per image, sorted by `image_id`.

image_id: Name of the image, unique in the dataset
split: Official split of the dataset
group_split: `train` or `test`, drawn by group
path: Path of the file, relative to the project's root
sha256: SHA-256 of the file, as hex digits
width, height (px): Size of the image
type: Input type of the control task, for tasks about images
label/<task> (string): One column per image task: the image's label; null if the task does not apply
  to this image
answer/<question> (string): One column per question that applies to several images and has no region
  (`exist(cube red)`): its answer on this image, if the dataset contains it
"""

# split rule -> (column, value of the training set, value of the test set)
SPLIT_RULES = {"official": ("split", "train", "val"), "group": ("group_split", "train", "test")}
LABEL, ANSWER = "label/", "answer/"


def images_schema(tasks: list[str], answers: Iterable[str] = ()) -> pa.Schema:
    """Return the schema of images.parquet, with one string column ``label/<task>`` per image task.

    ``answers`` names the columns ``answer/<question>``.
    """
    names = [*(LABEL + task for task in tasks), *answers]
    return pa.schema([*IMAGES, *(pa.field(name, pa.string()) for name in names)])
