"""The table of mined pairs: images that are similar to one encoder and different to another."""

from eyechart.tables.parquet import schema

PAIRS = schema(
    "rank: int32", "first_id second_id: string", "similarity_first similarity_second: float64"
)
"""One row per pair of images that are similar to the first encoder and different to the second, the
widest gap first. The file's metadata hold the settings and how many pairs match.

rank: 1 for the widest gap
first_id: One of the two images
second_id: The other image
similarity_first (cosine): To the first encoder
similarity_second (cosine): To the second encoder
"""

ALIGNED = schema("image_id: string")
"""The ids of the rows of both encoders' memory-mapped features, which stand beside the file. Its
metadata hold what the note of a table of pairs says of its images.

image_id: Id of the image, in the order of the rows
"""

# Key of the schema's metadata: JSON with dataset, first, second (models), settings, images,
# copies (images left out as duplicates of another), matching (pairs, kept or not),
# highest_first (cosine; null if pairs were not compared), lowest_second (of the pairs above the
# first's threshold, or null) and recall: null if all pairs were compared, else how many of so many
# planted pairs would be (found, planted), an interval (low, high), and the cells and probes
NOTE = b"eyechart.mining"
