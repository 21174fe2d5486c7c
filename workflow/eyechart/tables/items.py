"""The two tables of a dataset: questions (items) and pictures (images)."""

import pyarrow as pa

ITEMS = pa.schema(
    [
        ("item_id", pa.string()),
        ("split", pa.string()),
        ("group_split", pa.string()),
        ("group", pa.string()),
        ("images", pa.list_(pa.string())),
        ("prompt", pa.string()),
        ("choices", pa.list_(pa.string())),
        ("answer", pa.string()),
        ("task", pa.string()),
        ("type", pa.string()),
        ("pair", pa.string()),
        ("meta", pa.string()),
    ]
)

IMAGES = pa.schema(
    [
        ("image_id", pa.string()),
        ("split", pa.string()),
        ("group_split", pa.string()),
        ("group", pa.string()),
        ("path", pa.string()),
        ("sha256", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("type", pa.string()),
    ]
)

# split rule -> (column, value that trains, value that is tested)
SPLIT_RULES = {"official": ("split", "train", "val"), "group": ("group_split", "train", "test")}
LABEL = "label/"


def images_schema(tasks: list[str]) -> pa.Schema:
    """Give the schema of images.parquet with one string column ``label/<task>`` per image task."""
    fields = list(IMAGES) + [pa.field(LABEL + task, pa.string()) for task in tasks]
    return pa.schema(fields)
