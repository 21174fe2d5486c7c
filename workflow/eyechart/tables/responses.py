"""The table of a model's responses: one row per item and order of its choices."""

import json
from pathlib import Path

import pyarrow.parquet as pq

from eyechart.tables.parquet import schema

# Key of the metadata of responses: JSON, why items are not asked of the model, and how many
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
"""One row per item and order of its choices.

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


def read_left_out(path: Path) -> dict[str, int]:
    """Return why items are not asked of the model of a table of responses, and how many."""
    found: dict[str, int] = json.loads((pq.read_schema(path).metadata or {}).get(LEFT_OUT, b"{}"))
    return found
