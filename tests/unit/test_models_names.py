"""VLM-Lens's module names refer to the same modules here."""

import re
import subprocess
import sys
from fnmatch import fnmatchcase
from importlib import import_module
from pathlib import Path

import pytest
import torch
import transformers
from module_trees import MODELS, module_tree

from eyechart.models.legacy_names import RULES, modern
from eyechart.models.load import module_of
from eyechart.models.spec import families, read_spec

SPECS = Path(__file__).parents[2] / "config" / "models"
# For each model, the former names of the vision blocks and of the language-model blocks. GLaMM's
# log was written before its vision tower was built.
BLOCKS = {
    "aya_vision_8b": ("vision_tower.vision_model.encoder.layers", "language_model.model.layers"),
    "blip2_opt_2_7b": ("vision_model.encoder.layers", "language_model.model.decoder.layers"),
    "clip_vit_b32": ("vision_model.encoder.layers", None),
    "cogvlm_chat": ("model.vision.transformer.layers", "model.layers"),
    "glamm_fullscope": (None, "model.layers"),
    "internlm_xcomposer2d5_7b": ("vit.vision_tower.vision_model.encoder.layers", "model.layers"),
    "internvl2_5_8b": ("vision_model.encoder.layers", "language_model.model.layers"),
    "janus_pro_1b": ("model.vision_model.encoder.layers", "model.language_model.layers"),
    "llava_1_5_7b": ("vision_tower.vision_model.encoder.layers", "language_model.model.layers"),
    "minicpm_o_2_6": ("vpm.encoder.layers", "llm.model.layers"),
    "minicpm_v_2": ("vpm.blocks", "llm.model.layers"),
    "molmo_7b_d": (
        "model.vision_backbone.image_vit.transformer.resblocks",
        "model.transformer.blocks",
    ),
    "paligemma_3b_mix_224": (
        "vision_tower.vision_model.encoder.layers",
        "language_model.model.layers",
    ),
    "perception_lm_1b": ("model.vision_tower.timm_model.blocks", "model.language_model.layers"),
    "pixtral_12b": ("vision_encoder.transformer.layers", "layers"),
    "qwen2_vl_2b": ("visual.blocks", "model.layers"),
    "qwen2_vl_7b": ("visual.blocks", "model.layers"),
}
# Modules requested in VLM-Lens's configuration files, except vpm.encoder.layers.26, which
# MiniCPM-V-2 does not have
PATTERNS = {
    "aya_vision_8b": ["language_model.model.layers.15.input_layernorm"],
    "blip2_opt_2_7b": ["language_model.lm_head", "vision_model.post_layernorm"],
    "clip_vit_b32": ["visual_projection", "text_projection"],
    "cogvlm_chat": ["model.vision.transformer.layers.62", "lm_head"],
    "glamm_fullscope": ["model.layers.15.post_attention_layernorm"],
    "internlm_xcomposer2d5_7b": [
        "model.layers.31",
        "vit.vision_tower.vision_model.encoder.layers.23",
    ],
    "internvl2_5_8b": ["vision_model.encoder.layers.23", "language_model.output"],
    "janus_pro_1b": ["model.language_model.layers.23.post_attention_layernorm"],
    "llava_1_5_7b": [
        "language_model.*",
        ".*language_model.*",
        "vision_tower.vision_model",
        "vision_tower.vision_model.encoder.layers.23.layer_norm2",
        "language_model.model.layers.31.post_attention_layernorm",
    ],
    "minicpm_o_2_6": ["llm.lm_head", "vpm.encoder.layers.26"],
    "minicpm_v_2": ["llm.lm_head"],
    "molmo_7b_d": [
        "model.transformer.blocks.0",
        "model.vision_backbone.image_vit.transformer.resblocks.22",
    ],
    "paligemma_3b_mix_224": ["language_model.lm_head", "multi_modal_projector"],
    "perception_lm_1b": ["model.language_model.layers.7.post_attention_layernorm"],
    "pixtral_12b": ["layers.19.attention_norm", "layers.39.attention_norm"],
    "qwen2_vl_2b": ["lm_head", "visual.blocks.31", "model.layers.13.post_attention_layernorm"],
}
# The head of the language model is now outside of it
BESIDE = {"lm_head", "model.language_model"}
# These module names no longer exist; the family's other names do
GONE = {"qwen2_vl": r"\.self_attn\.rotary_emb$"}


def spec_of(model):
    return read_spec(SPECS / f"{model}.yaml")


@pytest.mark.parametrize("model", MODELS)
def test_a_real_checkpoints_blocks_match_its_spec(model):
    spec, tree = spec_of(model), module_tree(model)
    for blocks, counted in zip(
        BLOCKS[model], (spec.vision_blocks, spec.lm_blocks or None), strict=True
    ):
        if blocks is not None:
            assert sum(bool(re.fullmatch(rf"{re.escape(blocks)}\.\d+", n)) for n in tree) == counted


@pytest.mark.parametrize("model", [m for m in MODELS if spec_of(m).family in families()])
def test_formerly_named_blocks_are_the_familys_addresses(model):
    family = spec_of(model).family
    adapter = import_module(module_of(family)).FAMILY
    vision, lm = BLOCKS[model]
    if vision and getattr(adapter, "VISION", None):
        assert modern(family, vision) == adapter.VISION
    if lm and family != "blip2":  # the blocks of OPT and T5 have different paths
        assert modern(family, lm) == adapter.LM


@pytest.mark.parametrize("model", PATTERNS)
def test_a_vlm_lens_pattern_finds_the_same_modules_by_current_names(model):
    family, tree = spec_of(model).family, module_tree(model)
    for pattern in PATTERNS[model]:
        meant = {modern(family, name) for name in tree if re.fullmatch(pattern, name)}
        names = {modern(family, name) for name in tree}
        found = {name for name in names if fnmatchcase(name, modern(family, pattern))}
        assert meant
        assert found <= meant
        assert meant - found <= (BESIDE if "*" in pattern else set())


def tiny(family):
    lm = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2, "vocab_size": 9}
    lm |= {"num_attention_heads": 2, "num_key_value_heads": 1}
    eye = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2, "image_size": 32}
    eye |= {"num_attention_heads": 2, "patch_size": 16}
    t = transformers
    match family:
        case "aya_vision":
            eye |= {"model_type": "siglip_vision_model", "vision_use_head": False}
            config = t.AyaVisionConfig(
                text_config={"model_type": "cohere2", **lm}, vision_config=eye
            )
            return t.AyaVisionForConditionalGeneration(config)
        case "llava":
            config = t.LlavaConfig(text_config=lm, vision_config=t.CLIPVisionConfig(**eye))
            return t.LlavaForConditionalGeneration(config)
        case "paligemma":
            eye |= {"model_type": "siglip_vision_model", "vision_use_head": False}
            lm |= {"model_type": "gemma", "head_dim": 8}
            config = t.PaliGemmaConfig(text_config=lm, vision_config=eye, projection_dim=16)
            return t.PaliGemmaForConditionalGeneration(config)
        case "pixtral":
            lm |= {"model_type": "mistral"}
            config = t.LlavaConfig(text_config=lm, vision_config=t.PixtralVisionConfig(**eye))
            return t.LlavaForConditionalGeneration(config)
        case "qwen2_vl":
            eye = {"depth": 2, "embed_dim": 16, "hidden_size": 16, "num_heads": 2}
            return t.Qwen2VLForConditionalGeneration(
                t.Qwen2VLConfig(text_config=lm, vision_config=eye)
            )


@pytest.mark.parametrize("model", [m for m in MODELS if spec_of(m).family in RULES])
def test_every_former_name_maps_to_an_installed_module(model):
    family = spec_of(model).family
    with torch.device("meta"):
        modules = dict(tiny(family).named_modules())
    logged = [n for n in module_tree(model) if not re.search(GONE.get(family, r"^$"), n)]
    small = [n for n in logged if all(int(k) < 2 for k in re.findall(r"\.(\d+)", n))]
    assert [n for n in small if modern(family, n) not in modules] == []


@pytest.mark.parametrize("model", [m for m in MODELS if spec_of(m).family in RULES])
def test_a_current_name_stays_unchanged(model):
    family = spec_of(model).family
    today = {modern(family, name) for name in module_tree(model)}
    assert {modern(family, name) for name in today} == today


def test_the_names_are_translated_without_torch():
    code = "import sys, eyechart.models.legacy_names; assert 'torch' not in sys.modules"
    path = str(Path(__file__).parents[2] / "workflow")
    subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": path}, check=True)
