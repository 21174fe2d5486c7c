"""The tested families, with the facts about each that tests need."""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from zoo_parts import BUILDERS

from eyechart.models.spec import Spec, defaults

PLAIN = "{images}{question}"
for _module in ("llava", "mixture", "tiles", "prefix", "qwen", "blip", "encoders"):
    import_module(f"zoo_{_module}")


@dataclass(frozen=True)
class Case:
    """A family: its adapter, widths and blocks, and how to call its own class."""

    family: str
    connector: int | None = 48
    vision_blocks: int = 3
    lm_blocks: int = 2
    shares: bool = True
    turn: str | None = None
    torchvision: bool = False
    own_text: Callable[[str, int], str] | None = None
    loosely: dict[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        return "vlm" if self.lm_blocks else "encoder"

    @property
    def spec(self) -> Spec:
        fields = {
            "family": self.family,
            "kind": self.kind,
            "checkpoint": f"tiny/{self.family}",
            "revision": None,
            "dtype": "float32",
            "licence": "none",
            "vision_blocks": self.vision_blocks,
            "lm_blocks": self.lm_blocks,
            "turn": self.turn,
        }
        return Spec(**(defaults() | fields))

    def reference(
        self, adapter: Any, images: Any, row: Any, begun: Any = (), question: str = "what is it ?"
    ) -> torch.Tensor:
        """Return next-token scores after the prompt and after each token of a partial answer.

        The class computes them from its own processor's inputs: (tokens of the answer + 1, words).
        """
        write = self.own_text or adapter.turn
        shown = {"images": [images] if len(images) > 1 else images} if images else {}
        text = write(question, len(images))
        inputs = dict(adapter.processor(text=[text], return_tensors="pt", **shown))
        inputs.pop("labels", None)
        if "begun" in self.loosely:  # the answer is in a separate decoder
            start = adapter.text_config.decoder_start_token_id
            inputs["decoder_input_ids"] = torch.tensor([[start, *begun]])
            return adapter.model(**inputs).logits[0]
        for name in ("token_type_ids", "mm_token_type_ids"):
            if name in inputs:
                later = torch.full((1, len(begun)), self.loosely.get("later", 0))
                inputs[name] = torch.cat([inputs[name], later], dim=1)
        if "cross_attention_mask" in inputs:  # answers attend like the question's end
            last = inputs["cross_attention_mask"][:, -1:].expand(-1, len(begun), -1, -1)
            inputs["cross_attention_mask"] = torch.cat([inputs["cross_attention_mask"], last], 1)
        inputs["input_ids"] = torch.tensor([[*row.ids, *begun]])
        inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
        return adapter.model(**inputs).logits[0, -1 - len(begun) :]


def _blip(question: str, images: int) -> str:
    return question


def _pali(question: str, images: int) -> str:
    return "<image>" * images + question


def _phi(question: str, images: int) -> str:
    return "user: " + "<|endoftext10|>" * images + question + "\nassistant:"


NEEDS_TV = {"torchvision": True}
FAMILIES = {
    "llava": Case("llava"),
    "mixture": Case("mixture", vision_blocks=5),
    "mixture_interleaved": Case("mixture", vision_blocks=5),
    "mixture_attention": Case("mixture", vision_blocks=5),
    "mixture_qformer": Case("mixture", vision_blocks=5),
    "llava_next": Case("llava_next"),
    "llava_onevision": Case("llava_onevision", **NEEDS_TV),
    "pixtral": Case("pixtral", **NEEDS_TV),
    "aya_vision": Case("aya_vision", shares=False),
    "internvl": Case("internvl", **NEEDS_TV),
    "perception_lm": Case("perception_lm", **NEEDS_TV),
    "perception_lm_tiled": Case("perception_lm", **NEEDS_TV),
    "paligemma": Case("paligemma", shares=False, own_text=_pali, loosely={"later": 1}),
    "janus": Case("janus"),
    "qwen2_vl": Case("qwen2_vl", **NEEDS_TV),
    "qwen2_5_vl": Case("qwen2_5_vl", **NEEDS_TV),
    "qwen3_vl": Case("qwen3_vl", **NEEDS_TV),
    "blip2": Case("blip2", shares=False, turn=PLAIN, own_text=_blip),
    "blip2_t5": Case("blip2", shares=False, turn=PLAIN, own_text=_blip, loosely={"begun": True}),
    "instructblip": Case("instructblip", shares=False, turn=PLAIN, own_text=_blip),
    "smolvlm": Case("smolvlm", **NEEDS_TV),
    "idefics3": Case("idefics3", **NEEDS_TV),
    "gemma3": Case("gemma3", lm_blocks=3, shares=False),
    "mllama": Case("mllama", vision_blocks=4, lm_blocks=4, shares=False),
    "phi4_multimodal": Case(
        "phi4_multimodal",
        turn=_phi("{question}", 0).replace("user: ", "user: {images}"),
        own_text=_phi,
        **NEEDS_TV,
    ),
    "molmo2": Case("molmo2", **NEEDS_TV),
    "minicpmv4_6": Case("minicpmv4_6", shares=False, **NEEDS_TV),
    "clip": Case("clip", connector=24, lm_blocks=0),
    "clip_projected": Case("clip", connector=24, lm_blocks=0),
    "clip_vision": Case("clip", connector=None, lm_blocks=0),
    "siglip_vision": Case("siglip", connector=32, lm_blocks=0),
    "siglip_headless": Case("siglip", connector=None, lm_blocks=0),
    "siglip": Case("siglip", connector=32, lm_blocks=0),
    "dinov2": Case("dinov2", connector=None, lm_blocks=0),
    "dinov2_resized": Case("dinov2", connector=None, lm_blocks=0),
    "dinov2_registers": Case("dinov2", connector=None, lm_blocks=0),
    "vit_mae": Case("vit_mae", connector=None, lm_blocks=0),
    "vit_mae_pretraining": Case("vit_mae", connector=None, lm_blocks=0),
    "vit_classifier": Case("vit", connector=None, lm_blocks=0),
}
# `make test` runs one family of each kind, `make test-all` every family
ONE_OF_EACH_KIND = {
    "clip",  # an encoder with a text tower
    "dinov2",  # an encoder alone
    "llava",  # image tokens in a causal language model: a prefix can be shared
    "paligemma",  # image tokens and prompt attend to each other
    "mllama",  # cross-attention
    "blip2_t5",  # learned queries, and a decoder
}


def build(name: str, folder: Path) -> Path:
    """Save a checkpoint whose weights are large enough for its layers to differ."""
    torch.manual_seed(0)
    model, processor = BUILDERS[name]()
    for key, parameter in model.named_parameters():
        if parameter.ndim >= 2 and "norm" not in key:
            torch.nn.init.normal_(parameter, std=0.1)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
