"""The table of a model's responses: one row per item and order of its choices."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from eyechart.tables.parquet import read_notes, schema

# Key of the metadata: JSON, the items that are not asked of the model, or that its own code cannot
# take, and why
LEFT_OUT = b"eyechart.left_out"
ANSWERS = schema(
    "model dataset condition item_id: string",
    "order: int32",
    "shown: list of string",
    "prompt: string",
    "log_probability: list of float64",
    "tokens: list of int32",
    "unconditional: list of float64",
    "scoring predicted text parsed: string",
)
"""One row per item and order of its choices. The metadata list the items without a row, with
the reason: they have more images than the model takes, or its own code cannot take them.

condition: How the image was shown: `sighted`, `blank`, `noise`, `swapped` or `no_image`
order: Rotation of the choices: position j holds choice (j + order) mod c
shown: Ids of the images that were shown
prompt: Text of the prompt, choices included
log_probability (nats): Of each choice, in the item's own order, the sum over its tokens
tokens: Number of tokens of each choice; 1 for an encoder, which compares whole texts
unconditional (nats): The same without question and image; null where `pmi` is not asked
scoring: What decides: `sum`, `mean` per token, `pmi`, `letter`, or `similarity` of an encoder
predicted: Choice with the highest score; ties (1e-5 nats) are drawn
text: Greedy answer; null where none was generated
parsed: Choice that the text states; null where it states none
"""


def read_left_out(path: Path) -> dict[str, str]:
    """Return the items that a table of responses leaves out, and why."""
    found: dict[str, str] = json.loads(read_notes(path).get(LEFT_OUT, b"{}"))
    return found


def joined_responses(found: Sequence[pa.Table], lost: Mapping[str, str] | None = None) -> pa.Table:
    """Return the rows of several tables, sorted, and of the items that any or ``lost`` leave out.

    Other metadata are those of the first.
    """
    notes = [table.schema.metadata or {} for table in found]
    left = dict(lost or {})
    for note in notes:
        left |= json.loads(note.get(LEFT_OUT, b"{}"))
    told = {LEFT_OUT: json.dumps(left, sort_keys=True, ensure_ascii=False)} if left else {}
    joined = pa.concat_tables([table.replace_schema_metadata() for table in found])
    ordered = joined.sort_by([("item_id", "ascending"), ("order", "ascending")])
    return ordered.replace_schema_metadata(notes[0] | told or None)
