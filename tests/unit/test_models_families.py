"""In every family, every address is the tensor that its name describes."""

import json
import shutil

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from tiny_models import build_clip, build_llava, spec

from eyechart.core.address import REGION_SPANS
from eyechart.core.errors import UserError
from eyechart.models import describe_model
from eyechart.models.addresses import addresses, resolve
from eyechart.models.hooks import read_outputs
from eyechart.models.load import load
from eyechart.models.load_options import LoadOptions

CPU = LoadOptions("cpu")


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")
    return {"clip": build_clip(folder / "clip"), "llava": build_llava(folder / "llava")}


@pytest.fixture(scope="module")
def llava(checkpoints):
    return load(spec("llava", checkpoints["llava"]), checkpoints["llava"], CPU)


def with_spec(adapter, **changes):
    changed = spec("llava", "x", **changes)
    return type(adapter)(adapter.model, adapter.processor, changed, adapter.device)


def picture(adapter, shade=60):
    return adapter.prepare_image(Image.linear_gradient("L").rotate(shade).convert("RGB"))


def tapped(adapter, names, run):
    found = {}
    paths = {adapter.addresses()[name]: name for name in names}
    with (
        torch.inference_mode(),
        read_outputs(
            adapter.model, paths, lambda path, h: found.update({paths[path]: h}), stop=False
        ),
    ):
        run()
    return found


def test_clips_addresses_match_its_hidden_states_and_image_embedding(checkpoints):
    adapter = load(spec("clip", checkpoints["clip"]), checkpoints["clip"], CPU)
    shown = picture(adapter)
    found = tapped(adapter, adapter.addresses(), lambda: adapter.encode_images([shown]))
    out = adapter.model.vision_model(**shown.inputs, output_hidden_states=True)
    for i in range(3):
        assert torch.equal(found[f"vision.{i}"], out.hidden_states[i + 1])
    embedding = adapter.model.get_image_features(**shown.inputs).pooler_output
    assert torch.equal(found["connector"], embedding)


def test_llavas_addresses_match_its_hidden_states(llava):
    shown = picture(llava)
    row = llava.row("what is it?", [shown])
    tokens = llava.tokens([row])

    def run():
        llava.read(llava.tokens([row], llava.encode_images([shown])))

    found = tapped(llava, llava.addresses(), run)
    out = llava.model(
        input_ids=tokens.ids, pixel_values=shown.inputs["pixel_values"], output_hidden_states=True
    )
    for i in range(2):  # transformers returns the last block's states after the norm
        torch.testing.assert_close(found[f"lm.{i}"], out.hidden_states[i + 1], rtol=0, atol=1e-6)
    torch.testing.assert_close(found["lm.norm"], out.hidden_states[3], rtol=0, atol=1e-6)
    normed = llava.model.model.language_model.norm(found["lm.2"])
    torch.testing.assert_close(normed, found["lm.norm"], rtol=0, atol=1e-6)
    torch.testing.assert_close(found["connector"][0], out.image_hidden_states, rtol=0, atol=1e-6)


@pytest.mark.parametrize("images", [0, 1, 3])
def test_token_ids_equal_the_processors(llava, images):
    shade = Image.new("RGB", (50, 40), (9, 9, 9))
    content = [{"type": "image", "image": shade}] * images + [{"type": "text", "text": "how so?"}]
    ours = llava.row("how so?", [llava.prepare_image(shade)] * images).ids
    theirs = llava.processor.apply_chat_template(
        [{"role": "user", "content": content}],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
    )
    assert ours == theirs["input_ids"][0]
    assert sum(i == llava.image_id for i in ours) == 16 * images


def test_a_prompt_with_an_image_placeholder_is_refused(llava):
    with pytest.raises(UserError, match=r"contains '<image>' 2 times, expected 1"):
        llava.row("what is <image> here?", [picture(llava)])


def test_a_prefix_is_shared_only_if_it_does_not_depend_on_the_question(llava):
    shown = picture(llava)
    assert llava.shares_prefix(shown)
    late = with_spec(llava, image_first=False)
    assert not late.shares_prefix(shown)


@pytest.mark.parametrize("kind", ["missing", "unexpected", "mismatched"])
def test_mismatched_weights_are_refused_with_the_key(checkpoints, tmp_path, kind):
    folder = shutil.copytree(checkpoints["llava"], tmp_path / "broken")
    weights = load_file(folder / "model.safetensors")
    key = next(k for k in sorted(weights) if "vision_tower" in k and "mlp.fc1.weight" in k)
    if kind == "missing":
        del weights[key]
    elif kind == "unexpected":
        key = "model.vision_tower.spare.weight"
        weights[key] = torch.zeros(2)
    else:
        weights[key] = torch.zeros(2, 2)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match=f"{kind} key .*{key.split('model.')[-1]}"):
        load(spec("llava", folder), folder, CPU)


def test_an_invalid_checkpoint_and_an_unknown_family_are_one_sentence_errors(tmp_path):
    with pytest.raises(UserError, match=r"no config\.json"):
        load(spec("clip", tmp_path), tmp_path, CPU)
    with pytest.raises(UserError, match="unknown family 'lava'; did you mean 'llava'"):
        load(spec("lava", tmp_path), tmp_path, CPU)


def test_the_card_has_widths_scopes_and_module_paths(checkpoints, llava):
    card = describe_model.describe(llava, "tiny")
    assert card["shares_prefix"] is True
    assert card["image_tokens"] == 16
    assert card["parameters"] == sum(p.numel() for p in llava.model.parameters())
    found = addresses(card)
    assert list(found) == [
        *("vision.0", "vision.1", "vision.2", "connector", "lm.0", "lm.1", "lm.2", "lm.norm")
    ]
    assert [found[a].width for a in ("vision.0", "connector", "lm.norm")] == [16, 24, 24]
    assert found["lm.0"].scopes == {
        "image_mean": "image",
        "text_mean": "item",
        "last": "item",
        "all_mean": "item",
        "image_tokens": "image",
        "referent": "item",
        "referent_center": "item",
        "other_object": "item",
    }
    (mlp,) = resolve(card, ["model.language_model.layers.1.mlp.up_proj"])
    assert (mlp.width, mlp.scopes) == (32, found["lm.0"].scopes)


def test_without_a_shared_prefix_a_language_model_has_no_image_scope(llava):
    late = with_spec(llava, image_first=False)
    found = addresses(describe_model.describe(late, "late"))
    assert set(found["lm.1"].scopes.values()) == {"item"}
    own = {span: s for span, s in found["connector"].scopes.items() if span not in REGION_SPANS}
    assert set(own.values()) == {"image"}


def test_a_spec_with_a_wrong_number_of_blocks_is_refused(llava):
    other = with_spec(llava, lm_blocks=4)
    with pytest.raises(UserError, match="lm_blocks is 4, but the checkpoint has 3"):
        describe_model.describe(other, "tiny")


def test_describing_a_model_twice_gives_the_same_bytes(checkpoints, tmp_path):
    (tmp_path / "spec.yaml").write_text(json.dumps(vars(spec("clip", checkpoints["clip"]))))
    for name in ("a", "b"):
        flags = {"model": "eye", "spec": tmp_path / "spec.yaml", "checkpoint": checkpoints["clip"]}
        flags |= {"view": tmp_path / f"{name}.png", "output": tmp_path / name}
        describe_model.main([str(w) for k, v in flags.items() for w in (f"--{k}", v)])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert "model.safetensors" in json.loads((tmp_path / "a").read_text())["checkpoint"]


def test_a_parameter_count_may_differ_by_at_most_one_percent(llava):
    count = sum(p.numel() for p in llava.model.parameters())
    describe_model.describe(with_spec(llava, parameters=round(count * 1.009)), "tiny")
    with pytest.raises(UserError, match=f"parameters is .*, but the checkpoint has {count}"):
        describe_model.describe(with_spec(llava, parameters=round(count * 1.02)), "tiny")
