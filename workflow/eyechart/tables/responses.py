"""The table of a model's responses: one row per item and order of its choices."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from eyechart.tables.parquet import read_notes, schema

# Metadata key: JSON with the items that the model does not answer, or that its own code cannot
# process, and the reasons
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
"""One row per item and order of its choices. The metadata list the items without a row, with the
reason: they have more images than the model accepts, or its own code cannot process them.

condition: How the image was shown: `sighted`, `blank`, `noise`, `swapped` or `no_image`
order: Rotation of the choices: position j holds choice (j + order) mod c
shown: Ids of the images that were shown
prompt: Text of the prompt, choices included
log_probability (nats): Log-probability of each choice, summed over its tokens, in the item's own
  order
tokens: Number of tokens of each choice; 1 for an encoder, which compares whole texts
unconditional (nats): The same without question and image; null unless the scoring is `pmi`
scoring: Score that decides: `sum`, `mean` per token, `pmi`, `letter`, or `similarity` for an
  encoder
predicted: Choice with the highest score; ties (within 1e-5 nats) are drawn at random
text: Greedy answer; null if none was generated
parsed: Choice stated by the text; null if it states none
"""


def read_left_out(path: Path) -> dict[str, str]:
    """Return the items that a table of responses omits, with the reasons."""
    found: dict[str, str] = json.loads(read_notes(path).get(LEFT_OUT, b"{}"))
    return found


def joined_responses(found: Sequence[pa.Table], lost: Mapping[str, str] | None = None) -> pa.Table:
    """Return the sorted rows of several tables, and the items omitted by any or by ``lost``.

    Other metadata are taken from the first table.
    """
    notes = [table.schema.metadata or {} for table in found]
    left = dict(lost or {})
    for note in notes:
        left |= json.loads(note.get(LEFT_OUT, b"{}"))
    told = {LEFT_OUT: json.dumps(left, sort_keys=True, ensure_ascii=False)} if left else {}
    joined = pa.concat_tables([table.replace_schema_metadata() for table in found])
    ordered = joined.sort_by([("item_id", "ascending"), ("order", "ascending")])
    return ordered.replace_schema_metadata(notes[0] | told or None)
