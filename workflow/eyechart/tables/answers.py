"""The table of what a model answered: one row per item and order of its options."""

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
        ("predicted", pa.string()),
        ("predicted_mean", pa.string()),
        ("text", pa.string()),
        ("parsed", pa.string()),
    ]
)
