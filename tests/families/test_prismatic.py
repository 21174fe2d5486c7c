"""Tiny random Prismatic checkpoints in the authors' layout equal a manual forward pass."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers as T
from in_memory import pixels, plan, run_engine
from PIL import Image
from safetensors.torch import save_file
from tokenizers.processors import TemplateProcessing
from torch import nn
from torch.nn import functional as F
from zoo_parts import bpe, llama, vit

from eyechart.core.errors import UserError
from eyechart.models.derive_model import save
from eyechart.models.describe_model import describe
from eyechart.models.families.prismatic import LANGUAGE_MODELS, TOWERS
from eyechart.models.load import load
from eyechart.models.load_options import LoadOptions
from eyechart.models.sources.ready_file import write_ready
from eyechart.models.spec import Spec, defaults

LEADING = {"clip-vit-l": 1, "siglip-vit-so400m": 0, "dinov2-vit-l": 3, "in1k-vit-l": 1}
SPEC = Spec(
    **defaults()
    | {
        "family": "prismatic",
        "kind": "vlm",
        "checkpoint": "tiny/prismatic",
        "dtype": "float32",
        "licence": "none",
        "vision_blocks": 3,
        "lm_blocks": 2,
        "weights": "pt",
    }
)


def timm_vit(width=64, blocks=3, patch=8, side=32):
    """Return random ViT weights under timm's names, with nontrivial LayerNorms."""
    draw = torch.Generator().manual_seed(3)

    def random(*shape):
        return torch.randn(shape, generator=draw) * 0.2

    found = {
        "cls_token": random(1, 1, width),
        "pos_embed": random(1, (side // patch) ** 2 + 1, width),
        "patch_embed.proj.weight": random(width, 3, patch, patch),
        "patch_embed.proj.bias": random(width),
        "norm.weight": random(width),
        "norm.bias": random(width),
        "head.weight": random(10, width),
        "head.bias": random(10),
    }
    shapes = {"attn.qkv": (3 * width, width), "attn.proj": (width, width)}
    shapes |= {"mlp.fc1": (96, width), "mlp.fc2": (width, 96), "norm1": (width,), "norm2": (width,)}
    for block in range(blocks):
        for name, shape in shapes.items():
            found[f"blocks.{block}.{name}.weight"] = 1 + random(*shape)
            found[f"blocks.{block}.{name}.bias"] = random(shape[0])
            if len(shape) > 1:
                found[f"blocks.{block}.{name}.weight"] -= 1
    return found


def timm_forward(weights, image, blocks):
    """Return the tokens after some blocks of timm's ViT: (1, t, d)."""
    w = weights
    tokens = F.conv2d(image, w["patch_embed.proj.weight"], w["patch_embed.proj.bias"], stride=8)
    tokens = torch.cat([w["cls_token"], tokens.flatten(2).transpose(1, 2)], 1) + w["pos_embed"]
    for block in range(blocks):
        part = {k.removeprefix(f"blocks.{block}."): v for k, v in w.items()}

        def norm(x, name, part=part):
            return F.layer_norm(x, x.shape[-1:], part[f"{name}.weight"], part[f"{name}.bias"], 1e-6)

        def linear(x, name, part=part):
            return F.linear(x, part[f"{name}.weight"], part[f"{name}.bias"])

        mixed = linear(norm(tokens, "norm1"), "attn.qkv").unflatten(-1, (3, 1, 64))
        q, k, v = mixed.permute(2, 0, 3, 1, 4)
        heads = F.scaled_dot_product_attention(q, k, v)
        tokens = tokens + linear(heads.transpose(1, 2).flatten(2), "attn.proj")
        tokens = tokens + linear(F.gelu(linear(norm(tokens, "norm2"), "mlp.fc1")), "mlp.fc2")
    return tokens


def tower(name, folder):
    """Write a stock encoder; return a function from pixels to the patches that the model reads."""
    if name == "in1k-vit-l":
        folder.mkdir(parents=True)
        weights = timm_vit()
        save_file(weights, folder / "model.safetensors")
        return lambda image: timm_forward(weights, image, 2)[:, 1:]
    sizes = vit(hidden_size=64)
    made = {
        "clip-vit-l": lambda: T.CLIPVisionModel(T.CLIPVisionConfig(**sizes)),
        "siglip-vit-so400m": lambda: T.SiglipVisionModel(T.SiglipVisionConfig(**sizes)),
        "dinov2-vit-l": lambda: T.Dinov2WithRegistersModel(
            T.Dinov2WithRegistersConfig(**sizes, num_register_tokens=2)
        ),
    }[name]()
    made.eval().save_pretrained(folder)
    cut = LEADING[name]
    return lambda image: made(image, output_hidden_states=True).hidden_states[2][:, cut:]


def write(name, folder):
    """Write a checkpoint with companions; return its reference function, pixels, ids → logits."""
    torch.manual_seed(5)
    see = tower(name, folder / TOWERS[name].repository)
    words = folder / LANGUAGE_MODELS["vicuna-v15-7b"]
    tokenizer = bpe(pad=None)
    tokenizer._tokenizer.post_processor = TemplateProcessing(
        single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", 0)]
    )
    tokenizer.save_pretrained(words)
    sizes = llama(tokenizer, vocab_size=448, pad_token_id=None)
    language = T.LlamaForCausalLM(T.LlamaConfig(**sizes)).eval()
    T.LlamaConfig(**sizes | {"vocab_size": len(tokenizer)}).save_pretrained(words)
    projector = nn.Sequential(nn.Linear(64, 48), nn.GELU(), nn.Linear(48, 48))
    held = {
        "projector": {f"projector.{k}": v for k, v in projector.state_dict().items()},
        "llm_backbone": {f"llm.{k}": v for k, v in language.state_dict().items()},
    }
    (folder / "checkpoints").mkdir()
    torch.save({"model": held, "optimizer": {}}, folder / "checkpoints/latest-checkpoint.pt")
    parts = {"vision_backbone_id": name, "llm_backbone_id": "vicuna-v15-7b"}
    parts |= {"model_id": "tiny", "arch_specifier": "no-align+gelu-mlp"}
    parts["image_resize_strategy"] = "letterbox"
    (folder / "config.json").write_text(json.dumps({"model": parts}))

    def reference(image, ids):
        embedded = language.get_input_embeddings()(torch.tensor([ids]))
        rows = [embedded[:, :1], projector(see(image)), embedded[:, 1:]]
        return language(inputs_embeds=torch.cat(rows, 1)).logits[0, -1]

    return reference


@pytest.fixture(scope="module", params=sorted(TOWERS))
def made(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("prismatic")
    with torch.no_grad():
        return request.param, folder, write(request.param, folder)


def by_hand(image, scale):
    """Apply the authors' preprocessing: pad to a square, resize to the tower's side, scale."""
    wide, high = image.size
    square = Image.new("RGB", (max(image.size),) * 2, tuple(int(255 * m) for m in scale[0]))
    square.paste(image, ((square.width - wide) // 2, (square.height - high) // 2))
    values = np.asarray(square.resize((32, 32), Image.Resampling.BICUBIC), dtype=np.float32) / 255
    return torch.from_numpy(((values - scale[0]) / scale[1]).transpose(2, 0, 1)).float()[None]


@torch.no_grad()
def test_answers_are_those_of_the_authors_forward_pass(made):
    name, folder, reference = made
    adapter = load(SPEC, folder, LoadOptions("cpu"))
    for image, question in zip(pixels(2), ("what is it ?", "count the dogs"), strict=True):
        prepared = adapter.prepare_image(image)
        shown = by_hand(image, TOWERS[name].scale)
        torch.testing.assert_close(prepared.inputs["pixel_values"], shown)
        row = adapter.row(question, [prepared])
        text = adapter.tokenizer(adapter.turn(question, 1))["input_ids"]
        assert row.ids[0] == text[0] == adapter.tokenizer.bos_token_id
        assert row.ids[1:17] == [adapter.image_id] * 16
        scores = adapter.logits([row], adapter.encode_images([prepared]), [[]])[0][-1]
        torch.testing.assert_close(scores, reference(shown, text), atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_every_address_and_span_is_extracted(made, monkeypatch):
    name, folder, _ = made
    adapter = load(SPEC, folder, LoadOptions("cpu"))
    card = describe(adapter, "prismatic")
    assert adapter.reads() == ["vision.1"]
    assert card["shares_prefix"]
    assert adapter.leading("vision") == LEADING[name]
    part = plan([["p0"], ["p1"], ["p0"]], ["what is it ?", "count the dogs"])
    shown = dict(zip(["p0", "p1"], pixels(2), strict=True))
    found = run_engine(adapter, card, shown, part, 2, monkeypatch)
    places = [
        {**a, "scopes": dict.fromkeys(a["scopes"], "item")} if a["region"] == "lm" else a
        for a in card["addresses"]
    ]
    whole = {**card, "shares_prefix": False, "addresses": places}
    alone = run_engine(adapter, whole, shown, part, 1, monkeypatch)
    image = {"q0": "p0", "q1": "p1", "q2": "p0"}  # image tokens are computed once, not per question
    for column, rows in alone.items():
        for row, value in rows.items():
            once = found[column].get(row, found[column].get(image.get(row)))
            np.testing.assert_allclose(once, value, atol=1e-4, err_msg=column)


@torch.no_grad()
def test_a_derived_model_loads_from_its_own_weights(made, tmp_path):
    name, folder, _ = made
    adapter = load(SPEC, folder, LoadOptions("cpu"))
    adapter.model.model.multi_modal_projector.linear_1.weight.mul_(2)
    files = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    entries = [{"path": path, "bytes": 0, "sha256": ""} for path in files if path != "ready.json"]
    write_ready(folder / "ready.json", "prismatic", {}, entries)
    save(adapter, folder, tmp_path / "derived", changed=True)
    assert not (tmp_path / "derived" / "checkpoints").exists()
    spec = replace(SPEC, weights="safetensors")  # as for every derived model
    again = load(spec, tmp_path / "derived", LoadOptions("cpu"))
    for key, value in adapter.model.state_dict().items():
        torch.testing.assert_close(again.model.state_dict()[key], value)
    assert again.leading("vision") == LEADING[name]


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("vision_backbone_id", "clip-vit-xl", "clip-vit-xl' is not supported; .*clip-vit-l"),
        ("llm_backbone_id", "phi-2-3b", "'phi-2-3b' is not supported"),
        ("arch_specifier", "linear", "'linear', expected gelu-mlp"),
    ],
)
def test_unknown_parts_are_reported(field, value, sentence, tmp_path):
    write("clip-vit-l", tmp_path)
    path = Path(tmp_path / "config.json")
    parts = json.loads(path.read_text())["model"]
    path.write_text(json.dumps({"model": parts | {field: value}}))
    with pytest.raises(UserError, match=sentence):
        load(SPEC, tmp_path, LoadOptions("cpu"))


def test_a_missing_companion_is_reported(tmp_path):
    write("clip-vit-l", tmp_path)
    (tmp_path / "openai").rename(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="has no folder openai/clip-vit-large-patch14"):
        load(SPEC, tmp_path, LoadOptions("cpu"))
