"""The table of mined pairs: images that are similar to one encoder and different to another."""

from eyechart.tables.parquet import schema

PAIRS = schema(
    "rank: int32", "first_id second_id: string", "similarity_first similarity_second: float64"
)
"""One row per pair of images that are similar to the first encoder and different to the second,
widest gap first. The file's metadata contain the settings and the number of matching pairs.

rank: 1 for the widest gap
first_id: One of the two images
second_id: The other image
similarity_first (cosine): Similarity for the first encoder
similarity_second (cosine): Similarity for the second encoder
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
