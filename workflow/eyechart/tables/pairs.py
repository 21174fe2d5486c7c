"""The table of mined pairs: images that one encoder finds similar and another different."""

from eyechart.tables.parquet import schema

PAIRS = schema(
    "rank: int32", "first_id second_id: string", "similarity_first similarity_second: float64"
)
"""One row per pair of images that the first encoder finds similar and the second different,
widest gap first. The file's metadata contain the settings and the number of matching pairs.

rank: 1 for the widest gap
first_id: One of the two images
second_id: The other image
similarity_first (cosine): Similarity in the first encoder
similarity_second (cosine): Similarity in the second encoder
"""

ALIGNED = schema("image_id: string")
"""The row ids of both encoders' memory-mapped features, which are stored next to this file. Its
metadata contain the facts about the images that appear in the note of a table of pairs.

image_id: Id of the image, in row order
"""

# Metadata key: JSON with dataset, first, second (models), settings, images, copies (images omitted
# as duplicates), matching (number of pairs, kept or not), highest_first (cosine; null if pairs were
# not compared), lowest_second (among the pairs above the first's threshold, or null) and recall.
# Recall is null if all pairs were compared; otherwise it has the numbers of planted pairs (found,
# planted), an interval (low, high), and the cells and probes
NOTE = b"eyechart.mining"
