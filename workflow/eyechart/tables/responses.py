"""The table of a model's responses: one row per item and order of its choices."""

import json
from pathlib import Path

import pyarrow.parquet as pq

from eyechart.tables.parquet import schema

# Key of the metadata: JSON, the items without a row, and why they cannot be asked of the model
DROPPED = b"dropped"

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
"""One row per item and order of its choices. The metadata list under `dropped` the items without a
row, which the model cannot be asked, or whose image or prompt its own code could not take, with the
reason.

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


def read_dropped(path: Path) -> dict[str, str]:
    """Return why items have no row in a table of responses, by their ids."""
    found: dict[str, str] = json.loads((pq.read_schema(path).metadata or {}).get(DROPPED, b"{}"))
    return found
