"""What MMVP-VLM calls the nine patterns: its ``Type``, which is also the folder of the pictures.

Source: the folders of the dataset as its authors host it (MMVP/MMVP_VLM, ``MLLM_VLM Images``).
"""

# In the order of the paper and of the official script, which counts 15 pairs for each
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
