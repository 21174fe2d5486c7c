"""The families with remote code, and the inputs of their tests."""

import numpy as np
from PIL import Image

from eyechart.models.spec import Spec, defaults

FOLDERS = {  # the folder and the family of each checkpoint
    "cogvlm": "cogvlm",
    "glamm": "glamm",
    "internlm_xcomposer": "internlm_xcomposer",
    "internvl_chat": "internvl_chat",  # based on Qwen2
    "internvl_chat_internlm2": "internvl_chat",
    "minicpm_o": "minicpm_o",
    "minicpm_v2": "minicpm_v2",
    "molmo": "molmo",
    "phi3_v": "phi3_v",
}
SIZES = [(64, 40), (160, 80), (30, 30)]  # one slice, several slices, one slice
QUESTIONS = ["what is it ?", "is the red square left of the blue circle ?", "count the dogs"]

OPERATORS = """
import torch
library = torch.library.Library("torchvision", "DEF")
for name in ("nms", "qnms"):
    try:
        library.define(name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    except RuntimeError:
        pass
"""  # these make a torchvision built for CUDA importable with a CPU-only torch


def spec_of(folder, **fields):
    fixed = {
        "family": FOLDERS[folder],
        "kind": "vlm",
        "checkpoint": f"tiny/{folder}",
        "revision": None,
        "dtype": "float32",
        "licence": "none",
        "vision_blocks": None,
        "lm_blocks": None,
        "trust_remote_code": True,
    }
    return Spec(**(defaults() | fixed | fields))


def drawn():
    draw = np.random.default_rng(1)
    return [Image.fromarray(draw.integers(0, 255, (h, w, 3), dtype=np.uint8)) for w, h in SIZES]
