"""Files of trained depth heads: safetensors with metadata."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from eyechart.core.errors import UserError
from eyechart.core.files import atomic
from eyechart.readout.depth.linear import LinearHead

if TYPE_CHECKING:
    from eyechart.readout.depth.dpt import TrainedMapHead

KEY = "eyechart"  # metadata: JSON of model, dataset, the addresses of each DPT head, and sizes
LINEAR, DPT = "linear/", "dpt/"


@dataclass(frozen=True)
class MapTensors:
    """The addresses that a DPT head reads, and the head's tensors by name."""

    reads: list[str]
    tensors: dict[str, np.ndarray]


@dataclass(frozen=True)
class Heads:
    """All depth heads of a model, by address: linear heads, and DPT heads of equal size."""

    linear: dict[str, LinearHead]
    maps: dict[str, MapTensors]
    width: int
    finest: int

    def map_head(self, address: str, threads: int) -> "TrainedMapHead":
        """Return a DPT head, ready to run."""
        import torch  # noqa: PLC0415 - only depth order needs it, and it is slow to import

        from eyechart.readout.depth import dpt as depth_dpt  # noqa: PLC0415

        torch.set_num_threads(threads)
        own = self.maps[address]
        widths = [len(own.tensors[f"mean_{i}"]) for i in range(len(own.reads))]
        net = depth_dpt.DPT(widths, self.width, self.finest)
        net.load_state_dict({k: torch.from_numpy(v) for k, v in own.tensors.items()})
        return depth_dpt.TrainedMapHead(net.eval(), own.reads)


def write_heads(path: Path, names: dict[str, str], heads: Heads) -> None:
    """Write heads; ``names`` are the model and the dataset that they were trained on."""
    tensors = {
        f"{DPT}{address}/{name}": value
        for address, own in heads.maps.items()
        for name, value in own.tensors.items()
    }
    for address, head in heads.linear.items():
        tensors[f"{LINEAR}{address}/weight"] = head.weight
        tensors[f"{LINEAR}{address}/bias"] = np.array([head.bias])
    reads = {address: own.reads for address, own in heads.maps.items()}
    metadata = {**names, "maps": reads, "width": heads.width, "finest": heads.finest}
    with atomic(path) as partial:
        partial.write_bytes(save(tensors, {KEY: json.dumps(metadata, sort_keys=True)}))


def read_heads(path: Path, model: str) -> Heads:
    """Load the depth heads of a model.

    Raise a UserError if the file is missing, invalid or for another model.
    """
    try:
        with safe_open(path, "np") as opened:
            metadata: dict[str, Any] = json.loads(opened.metadata()[KEY])
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: not a file of depth heads ({error})") from None
    if metadata["model"] != model:
        raise UserError(f"{path}: model is {metadata['model']!r}, expected {model!r}")
    linear = {}
    for name, weight in tensors.items():
        if name.startswith(LINEAR) and name.endswith("/weight"):
            stem = name.removesuffix("/weight")
            linear[stem.removeprefix(LINEAR)] = LinearHead(
                weight, float(tensors[f"{stem}/bias"][0])
            )
    maps = {
        address: MapTensors(reads, _below(tensors, f"{DPT}{address}/"))
        for address, reads in metadata["maps"].items()
    }
    return Heads(linear, maps, metadata["width"], metadata["finest"])


def _below(tensors: dict[str, np.ndarray], start: str) -> dict[str, np.ndarray]:
    return {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}
