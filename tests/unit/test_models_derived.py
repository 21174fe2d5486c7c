"""Derived models: inherited fields of specs, effects of weights, and refusals."""

import json
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from derived_fixture import CPU, build_registry, make, pictures, scores
from peft import LoraConfig, PeftModel, get_peft_model
from PIL import Image

from eyechart.core.errors import UserError
from eyechart.models import derive_model
from eyechart.models.families.image_tokens import PreparedImage
from eyechart.models.hooks import edit_outputs, pass_mode
from eyechart.models.load import load
from eyechart.models.sources.ready_file import NAME
from eyechart.models.spec import bases, read_spec

# from peft's use of transformers
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a registry of bases and derived models, with the bases' checkpoints."""
    return build_registry(tmp_path_factory.mktemp("made"))


def test_a_connector_folded_to_a_constant_equals_a_hook_that_replaces_its_output(made):
    base, derived, ready = make(made, "blind", **{"from": "llava", "by": "prior"})
    assert ready["changed"] == ["connector"]
    shown = pictures(base)
    path = base.module_path("connector")
    white = base.prepare_image(Image.new("RGB", (64, 64), "white"))
    with pass_mode():
        constant = base.encode_images([white])[0].features.mean(dim=0)
    with edit_outputs(base.model, {path: lambda hidden: constant.expand(hidden.shape)}):
        expected = scores(base, shown)
    found = scores(derived, shown)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    assert torch.equal(found[0], found[1])
    assert not torch.allclose(*scores(base, shown), atol=1e-3)
    names = {p.name for p in (made / "data" / "blind").iterdir()}
    assert names == {p.name for p in (made / "data" / "llava").iterdir()}


@pytest.mark.parametrize("name", ["clip", "llava"])
def test_a_patch_embedding_folded_to_grey_equals_the_base_on_grey_pixels(name, made):
    """This includes unequal means and deviations, which need more than averaging the kernel."""
    unequal = {"image_mean": [0.48, 0.4, 0.3], "image_std": [0.2, 0.3, 0.25]}
    path = made / "data" / name / "processor_config.json"
    before = path.read_text()
    try:
        settings = json.loads(before)
        settings["image_processor"] |= unequal
        path.write_text(json.dumps(settings))
        base, derived, ready = make(made, f"grey_{name}", **{"from": name, "by": "eyes"})
    finally:
        path.write_text(before)
    assert ready["changed"] == ["vision"]
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in unequal.values())
    shown = pictures(derived)
    pixels = [p.inputs["pixel_values"] * std + mean for p in shown]
    grey = [x.mean(dim=1, keepdim=True).expand_as(x) for x in pixels]
    greyed = [
        PreparedImage({"pixel_values": (x - mean) / std}, p.text)
        for x, p in zip(grey, shown, strict=True)
    ]
    said = scores if name == "llava" else (lambda adapter, some: adapter.embed_images(some))
    torch.testing.assert_close(said(derived, shown), said(base, greyed), rtol=0, atol=2e-5)
    assert not torch.allclose(said(derived, shown), said(base, shown), atol=1e-3)


def adapter_folder(made, folder, **changes):
    adapter = load(read_spec(made / "llava.yaml"), made / "data" / "llava", CPU)
    config = LoraConfig(r=2, target_modules=r".*(linear_2|language_model.*q_proj)", **changes)
    model = get_peft_model(adapter.model, config)
    torch.manual_seed(3)
    for name, weight in model.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(weight, std=0.3)
    model.save_pretrained(folder)
    return folder


def test_a_merged_adapter_equals_pefts_own_model(made, tmp_path):
    folder = adapter_folder(made, tmp_path / "adapter")
    base, derived, ready = make(made, "tuned", **{"from": "llava", "by": str(folder)})
    assert ready["changed"] == ["connector", "lm"]
    shown = pictures(base)
    plain = scores(base, shown)
    found = scores(derived, shown)
    PeftModel.from_pretrained(base.model, folder)  # adds its layers to the model
    torch.testing.assert_close(found, scores(base, shown), rtol=0, atol=1e-4)
    assert not torch.allclose(found, plain, atol=1e-2)


def test_an_adapter_made_by_a_named_run_is_read_from_its_folder(made, tmp_path):
    folder = adapter_folder(made, tmp_path / "runs/x/results/lora")
    files = [folder / name for name in ("adapter_config.json", "adapter_model.safetensors")]
    how = {"from": "llava", "by": "results/lora"}
    base, derived, ready = make(made, "of_run", (), files, **how)
    assert (ready["by"], ready["changed"]) == (str(folder), ["connector", "lm"])
    shown = pictures(base)
    assert not torch.allclose(scores(derived, shown), scores(base, shown), atol=1e-2)
    (made / "of_run.yaml").unlink()


def test_a_derived_model_can_be_derived_from_and_two_runs_give_the_same_bytes(made):
    make(made, "first", **{"from": "llava", "by": "eyes"})
    make(made, "second", **{"from": "first", "by": "prior"})
    weights = made / "data" / "second" / "model.safetensors"
    before = weights.read_bytes()
    _, _, ready = make(made, "second", **{"from": "first", "by": "prior"})
    assert weights.read_bytes() == before
    assert (ready["from"], ready["by"], ready["seed"]) == ("first", "prior", 0)
    specs = {n: read_spec(made / f"{n}.yaml") for n in ("llava", "first", "second")}
    assert bases(specs, "second") == ["first", "llava"]


def test_a_derived_spec_inherits_missing_fields(made):
    (made / "own.yaml").write_text(
        yaml.safe_dump({"dtype": "bfloat16", "derived": {"from": "llava", "by": "eyes"}})
    )
    base, own = read_spec(made / "llava.yaml"), read_spec(made / "own.yaml")
    assert own.derived == {"from": "llava", "by": "eyes", "settings": {}, "seed": 0}
    assert (own.dtype, own.checkpoint, own.revision) == ("bfloat16", "own", None)
    assert own.notes == "Derived from llava by eyes"
    kept = ("family", "kind", "licence", "vision_blocks", "lm_blocks", "turn", "env")
    assert [getattr(own, k) for k in kept] == [getattr(base, k) for k in kept]


@pytest.mark.parametrize(("by", "encoder"), [("prior", "clip"), ("eyes", None), ("a/b", None)])
def test_the_bases_encoder_is_inherited_if_the_rule_leaves_vision_unchanged(
    tmp_path, made, by, encoder
):
    value = yaml.safe_load((made / "llava.yaml").read_text()) | {"encoder": "clip"}
    (tmp_path / "llava.yaml").write_text(yaml.safe_dump(value))
    for given in ({}, {"encoder": "other"}):
        own = {"derived": {"from": "llava", "by": by}, **given}
        (tmp_path / "own.yaml").write_text(yaml.safe_dump(own))
        assert read_spec(tmp_path / "own.yaml").encoder == given.get("encoder", encoder)


@pytest.mark.parametrize(
    ("derived", "more", "message"),
    [
        ({"from": "lava", "by": "eyes"}, {}, r"unknown model 'lava'; did you mean 'llava'"),
        ({"from": "llava", "by": "priro"}, {}, r"unknown derivation 'priro'; did you mean 'prior'"),
        ({"from": "wrong", "by": "eyes"}, {}, r"derived from itself \(wrong from wrong\)"),
        ({"from": "llava"}, {}, r"derived: 'by' is a required property"),
        ({"from": "llava", "bye": "eyes"}, {}, r"unknown field derived\.bye; did you mean 'by'"),
        ({"from": "llava", "by": "eyes"}, {"revision": "main"}, r"revision: .* remove the line"),
        ("llava", {}, r"derived: 'llava' is not of type"),
    ],
)
def test_a_wrong_derived_spec_is_a_one_sentence_error(made, derived, more, message):
    path = made / "wrong.yaml"
    path.write_text(yaml.safe_dump({"derived": derived, **more}))
    try:
        with pytest.raises(UserError, match=rf"wrong\.yaml: .*{message}"):
            read_spec(path)
    finally:
        path.unlink()


def test_circular_derivation_is_a_one_sentence_error(tmp_path):
    for name, base in (("a", "b"), ("b", "a")):
        (tmp_path / f"{name}.yaml").write_text(f"derived: {{from: {base}, by: eyes}}")
    with pytest.raises(UserError, match=r"derived from itself \(a from b from a\)"):
        read_spec(tmp_path / "a.yaml")


@pytest.mark.parametrize(
    ("base", "change", "message"),
    [
        ("clip", {"by": "prior"}, "prior needs a connector before a language model, .* clip"),
        ("llava", {"by": "eyes", "settings": {"x": 1}}, "eyes has no setting 'x'"),
        ("llava", {"by": "nowhere/adapter"}, r"nowhere/adapter: no adapter_config\.json in it"),
    ],
)
def test_an_impossible_derivation_is_a_one_sentence_error_without_output(
    made, base, change, message
):
    with pytest.raises(UserError, match=message):
        make(made, "never", **{"from": base, **change})
    assert not (made / "data" / "never" / NAME).exists()
    (made / "never.yaml").unlink()


def test_an_adapter_for_other_modules_or_of_another_kind_is_refused(made, tmp_path):
    folder = adapter_folder(made, tmp_path / "adapter")
    config = json.loads((folder / "adapter_config.json").read_text())
    for change, message in (
        ({"r": 2, "target_modules": ".*linear_1"}, "unexpected key .* was the adapter trained"),
        ({"peft_type": "IA3"}, "peft_type is 'IA3', expected LORA or PROMPT_TUNING"),
        ({"peft_type": "PROMPT_TUNING"}, "expected prompt_embeddings alone"),
    ):
        other = shutil.copytree(folder, tmp_path / f"other{len(message)}")
        (other / "adapter_config.json").write_text(json.dumps(config | change))
        with pytest.raises(UserError, match=message):
            make(made, "never", **{"from": "llava", "by": str(other)})
    (made / "never.yaml").unlink()


def test_a_rule_that_changes_more_than_it_declares_is_an_error(made, monkeypatch):
    monkeypatch.setitem(derive_model.CHANGES, "eyes", ("connector",))
    with pytest.raises(UserError, match="eyes changes vision, which it does not declare"):
        make(made, "sly", **{"from": "llava", "by": "eyes"})
    (made / "sly.yaml").unlink()


def test_the_registry_lists_every_rule():
    folder = Path(derive_model.__file__).parent / "derivations"
    rules = {p.stem for p in folder.glob("*.py")} - {
        *("__init__", "adapter", "connector", "registry", "settings")
    }
    assert rules == set(derive_model.CHANGES)
