"""The table of regions: where an item's reference and choices lie in its pictures."""

import pyarrow as pa

REGIONS = pa.schema(
    [
        ("item_id", pa.string()),
        ("seen", pa.string()),
        ("image_id", pa.string()),
        ("name", pa.string()),
        ("shape", pa.string()),
        ("left", pa.float64()),
        ("top", pa.float64()),
        ("right", pa.float64()),
        ("bottom", pa.float64()),
    ]
)
