"""The registry has every model of VLM-Lens and more, each with a minimal spec."""

from pathlib import Path

import pytest
import yaml

from eyechart.models.spec import defaults, families, read_spec, schema
from eyechart.models.write_table import main as write_table

FOLDER = Path(__file__).parents[2]
PATHS = sorted((FOLDER / "config" / "models").glob("*.yaml"))
SPECS = {path.stem: read_spec(path) for path in PATHS}
ENVIRONMENTS = {path.stem for path in (FOLDER / "envs").glob("*.yaml")}
# All checkpoints that VLM-Lens supports, with the corresponding models here
VLM_LENS = {
    "CohereLabs/aya-vision-8b": "aya_vision_8b",
    "Salesforce/blip2-opt-2.7b": "blip2_opt_2_7b",
    "Salesforce/blip2-opt-6.7b": "blip2_opt_6_7b",
    "Salesforce/blip2-opt-6.7b-coco": "blip2_opt_6_7b_coco",
    "openai/clip-vit-base-patch32": "clip_vit_b32",
    "openai/clip-vit-large-patch14": "clip_vit_l14",
    "THUDM/cogvlm-chat-hf": "cogvlm_chat",
    "MBZUAI/GLaMM-FullScope": "glamm_fullscope",
    "internlm/internlm-xcomposer2d5-7b": "internlm_xcomposer2d5_7b",
    "OpenGVLab/InternVL2_5-1B": "internvl2_5_1b",
    "OpenGVLab/InternVL2_5-2B": "internvl2_5_2b",
    "OpenGVLab/InternVL2_5-4B": "internvl2_5_4b",
    "OpenGVLab/InternVL2_5-8B": "internvl2_5_8b",
    "deepseek-community/Janus-Pro-1B": "janus_pro_1b",
    "deepseek-community/Janus-Pro-7B": "janus_pro_7b",
    "llava-hf/bakLlava-v1-hf": "bakllava_v1",
    "llava-hf/llava-1.5-7b-hf": "llava_1_5_7b",
    "llava-hf/llava-1.5-13b-hf": "llava_1_5_13b",
    "llava-hf/llama3-llava-next-8b-hf": "llava_next_llama3_8b",
    "llava-hf/llava-v1.6-mistral-7b-hf": "llava_next_mistral_7b",
    "llava-hf/llava-v1.6-vicuna-7b-hf": "llava_next_vicuna_7b",
    "llava-hf/llava-v1.6-vicuna-13b-hf": "llava_next_vicuna_13b",
    "openbmb/MiniCPM-o-2_6": "minicpm_o_2_6",
    "compling/MiniCPM-V-2": "minicpm_v_2",
    "allenai/Molmo-7B-D-0924": "molmo_7b_d",
    "allenai/MolmoE-1B-0924": "molmoe_1b",
    "google/paligemma-3b-mix-224": "paligemma_3b_mix_224",
    "mistralai/Pixtral-12B-2409": "pixtral_12b",
    "mistralai/Pixtral-12B-Base-2409": "pixtral_12b_base",
    "facebook/Perception-LM-1B": "perception_lm_1b",
    "facebook/Perception-LM-3B": "perception_lm_3b",
    "facebook/Perception-LM-8B": "perception_lm_8b",
    "Qwen/Qwen2-VL-2B-Instruct": "qwen2_vl_2b",
    "Qwen/Qwen2-VL-7B-Instruct": "qwen2_vl_7b",
}


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_spec_has_only_non_default_fields_in_schema_order(path):
    value = yaml.safe_load(path.read_text())
    assert list(value) == [field for field in schema()["properties"] if field in value]
    assert [k for k, v in value.items() if k in defaults() and v == defaults()[k]] == []


@pytest.mark.parametrize("name", SPECS)
def test_a_specs_family_environment_and_encoder_exist(name):
    spec = SPECS[name]
    assert spec.family in families()
    assert spec.env in ENVIRONMENTS
    assert spec.encoder is None or SPECS[spec.encoder].kind == "encoder"


def test_every_vlm_lens_checkpoint_is_registered_or_replaced_in_the_notes():
    assert len(VLM_LENS) == 34
    for checkpoint, name in VLM_LENS.items():
        assert SPECS[name].checkpoint == checkpoint or checkpoint in SPECS[name].notes


def test_code_of_a_checkpoint_is_never_run_in_an_environment_of_native_models():
    remote = {name for name, spec in SPECS.items() if spec.trust_remote_code}
    legacy = {name for name, spec in SPECS.items() if spec.env.startswith("legacy")}
    assert remote == legacy


def test_no_checkpoint_is_registered_twice():
    assert len({(spec.checkpoint, spec.folder) for spec in SPECS.values()}) == len(SPECS)


def test_the_page_of_all_models_matches_the_registry(tmp_path, monkeypatch):
    monkeypatch.chdir(FOLDER)
    write_table(["--output", str(tmp_path / "models.md")])
    assert (FOLDER / "docs" / "models.md").read_text() == (tmp_path / "models.md").read_text()
