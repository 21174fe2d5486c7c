"""The table of a model's responses: one row per item and order of its choices."""

import pyarrow as pa

ANSWERS = pa.schema(
    [
        ("model", pa.string()),
        ("dataset", pa.string()),
        ("condition", pa.string()),
        ("item_id", pa.string()),
        ("order", pa.int32()),
        ("shown", pa.list_(pa.string())),
        ("prompt", pa.string()),
        ("log_probability", pa.list_(pa.float64())),
        ("tokens", pa.list_(pa.int32())),
        ("unconditional", pa.list_(pa.float64())),
        ("scoring", pa.string()),
        ("predicted", pa.string()),
        ("text", pa.string()),
        ("parsed", pa.string()),
    ]
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
