"""MMVP-VLM's names of the nine patterns: its ``Type``, which is also the image folder.

Source: the folders of the dataset as hosted by its authors (MMVP/MMVP_VLM, ``MLLM_VLM Images``).
"""

# In the order of the paper and of the official script, which has 15 pairs for each
TYPES = {
    "orientation": "Orientation",
    "presence": "Presence",
    "state": "State",
    "quantity": "Quantity",
    "position": "Spatial",
    "color": "Color",
    "structure": "Structural Character",
    "text": "Text",
    "viewpoint": "Camera Perspective",
}
