"""Training: packing has no effect, stages train the right parameters, kills lose nothing."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from stopping_steps import hold, kill_step
from training_fixture import RECIPE, STEPS, draw, flags
from transformers import AutoProcessor, CLIPModel, LlamaForCausalLM, LlavaForConditionalGeneration

from eyechart.core import errors
from eyechart.core.files import read_json
from eyechart.tiny_models import (
    install_weights,
    pack_weights,
    train_clip,
    train_language,
    train_llava,
)
from eyechart.tiny_models.answers import answer_logits, image_tokens
from eyechart.tiny_models.architectures import build_language_model, build_tokenizer
from eyechart.tiny_models.images import augment, load_images, normalise
from eyechart.tiny_models.packing import Packer
from eyechart.training import loop
from eyechart.training import step_helpers as stage
from eyechart.training.loop import learning_rate


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """Return ten rendered training images and four held-out images; read-only."""
    root = tmp_path_factory.mktemp("raw")
    draw(root)
    return root


@pytest.fixture(scope="module")
def trained(raw, tmp_path_factory):
    """Return all four stages, trained for a few steps; read-only."""
    folder = tmp_path_factory.mktemp("trained")
    ready = {s: str(folder / s / "model" / "ready.json") for s in
             ("contrastive", "language", "alignment")}  # fmt: skip
    train_clip.main(flags(raw, folder, "contrastive"))
    train_language.main(flags(raw, folder, "language"))
    earlier = ["--vision", ready["contrastive"], "--language", ready["language"]]
    train_llava.main(["--stage", "alignment", *flags(raw, folder, "alignment"), *earlier])
    earlier = ["--vision", ready["alignment"], "--language", ready["alignment"]]
    train_llava.main(["--stage", "instruction", *flags(raw, folder, "instruction"), *earlier])
    return folder


def weights(folder, stage):
    return load_file(folder / stage / "model" / "model.safetensors")


def load(folder, stage, kind=LlavaForConditionalGeneration):
    model = kind.from_pretrained(folder / stage / "model")
    return dict(model.named_parameters())


def test_alignment_changes_only_the_projector(trained):
    aligned = load(trained, "alignment")
    clip, language = (
        load(trained, "contrastive", CLIPModel),
        load(trained, "language", LlamaForCausalLM),
    )
    compared = 0
    for name, value in aligned.items():
        if "projector" in name:
            continue
        twin = name.replace("model.vision_tower.", "vision_model.")
        twin = twin.replace("model.language_model.", "model.")
        assert torch.equal(value, clip[twin] if twin in clip else language[twin]), name
        compared += 1
    assert compared > 40


def test_instruction_changes_everything_that_the_answer_depends_on(trained):
    aligned, tuned = load(trained, "alignment"), load(trained, "instruction")
    # vision_feature_layer is -2, so the last of the two blocks and the final norm are unused
    unread = ("encoder.layers.1.", "post_layernorm")
    for name, value in aligned.items():
        moved = not torch.equal(value, tuned[name])
        assert moved != any(part in name for part in unread), name


def test_a_packed_question_gets_the_logits_it_gets_alone(raw, trained):
    folder = trained / "instruction" / "model"
    model = LlavaForConditionalGeneration.from_pretrained(folder).eval()
    tokenizer = AutoProcessor.from_pretrained(folder).tokenizer
    held_out = load_images(raw, "val")
    packer = Packer(tokenizer, model.config.image_seq_length)
    with torch.inference_mode():
        seen = image_tokens(model, normalise(held_out.pixels))
        together = answer_logits(model, packer.pack(held_out.questions), seen)
        alone = []
        for i, questions in enumerate(held_out.questions):
            for question in questions:
                packed = packer.pack([[question]])
                alone.append(answer_logits(model, packed, seen[i : i + 1]))
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-5, rtol=1e-4)


def test_training_uses_the_processors_images_and_prompts(raw, trained):
    folder = trained / "instruction" / "model"
    processor = AutoProcessor.from_pretrained(folder)
    model = LlavaForConditionalGeneration.from_pretrained(folder).eval()
    held_out = load_images(raw, "val")
    question = held_out.questions[0][0]
    content = [{"type": "image"}, {"type": "text", "text": question["question"]}]
    prompt = processor.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True
    )
    image = held_out.pixels[0].permute(1, 2, 0).numpy()
    inputs = processor(images=image, text=prompt, return_tensors="pt", add_special_tokens=False)
    packer = Packer(processor.tokenizer, model.config.image_seq_length)
    packed = packer.pack([[question]])
    answer = len(packed.labels)
    assert packed.ids[0, :-answer].tolist() == inputs["input_ids"][0].tolist()
    torch.testing.assert_close(
        inputs["pixel_values"], normalise(held_out.pixels[:1]), atol=1e-5, rtol=0
    )
    with torch.inference_mode():
        mine = answer_logits(model, packed, image_tokens(model, inputs["pixel_values"]))[0]
        theirs = model(**inputs).logits[0, -1]
    torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-4)


def test_the_same_seed_gives_the_same_weights(raw, trained, tmp_path):
    train_clip.main(flags(raw, tmp_path, "contrastive"))
    first, second = weights(trained, "contrastive"), weights(tmp_path, "contrastive")
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.slow
def test_a_killed_training_resumes_to_the_same_weights_and_curve(raw, trained, tmp_path):
    checkpoint = tmp_path / "contrastive" / "model.checkpoint.safetensors"
    reached = hold(tmp_path / "held", loop.step_generator, call=4)  # one step after a checkpoint
    step = ("eyechart.tiny_models.train_clip", flags(raw, tmp_path, "contrastive"))
    kill_step(*step, tmp_path / "held", reached.exists)
    assert checkpoint.exists()
    assert not (tmp_path / "contrastive/model/ready.json").exists()
    train_clip.main(flags(raw, tmp_path, "contrastive"))
    killed, whole = (weights(folder, "contrastive") for folder in (tmp_path, trained))
    assert all(torch.equal(killed[name], whole[name]) for name in whole)
    curves = [(f / "contrastive/curve.parquet").read_bytes() for f in (tmp_path, trained)]
    assert curves[0] == curves[1]
    assert not checkpoint.exists()


def test_a_checkpoint_is_not_resumed_from_other_images_or_other_earlier_models(raw, trained):
    model = trained / "contrastive" / "model"
    seen = set()
    for receipt, vision in (
        (raw / "acquired.json", model / "ready.json"),
        (raw / "train.json", model / "ready.json"),
        (raw / "acquired.json", model / "config.json"),
    ):
        args = stage.Training(receipt, RECIPE, 7, "cpu", trained / "ready.json", trained / "curve")
        step = "eyechart.tiny_models.train_llava"
        seen.add(json.dumps(stage.identity(args, "alignment", step, vision)))
    assert len(seen) == 3


def test_packed_weights_install_and_another_recipe_is_refused(trained, tmp_path):
    recipe = json.dumps({"training": RECIPE}, sort_keys=True)
    packed, ready = tmp_path / "packed" / "packed.json", tmp_path / "model" / "ready.json"
    tuned = trained / "instruction"
    pack_weights.main(
        ["--model", "tiny_llava", "--recipe", recipe, "--trained", str(tuned / "model/ready.json"),
         "--curve", str(tuned / "curve.parquet"), "--output", str(packed)]
    )  # fmt: skip
    install = ["--packed", str(packed), "--output", str(ready)]
    install_weights.main(["--recipe", recipe, *install])
    model = LlavaForConditionalGeneration.from_pretrained(ready.parent, dtype=torch.float32)
    original = weights(trained, "instruction")
    halved = {n: t.half().float() for n, t in original.items()}
    loaded = load_file(ready.parent / "model.safetensors")
    assert all(torch.equal(loaded[n].float(), halved[n]) for n in halved)
    assert model.config.image_seq_length == 4
    other = json.dumps({"training": {**RECIPE, "vocabulary": 301}}, sort_keys=True)
    with pytest.raises(errors.UserError, match=r"training\.vocabulary is 300 .* and 301"):
        install_weights.main(["--recipe", other, *install])
    with (packed.parent / "config.json").open("a") as file:
        file.write(" ")
    with pytest.raises(errors.UserError, match=r"config\.json: missing, or its bytes differ"):
        install_weights.main(["--recipe", recipe, *install])


def test_text_alone_and_image_prompts_share_their_words():
    tokenizer = build_tokenizer(["Q: What color is the cube? A: red"] * 3, 300, image=True)
    with_picture = tokenizer.tokenize("Q:<image> What color")
    assert [t for t in with_picture if t != "<image>"] == tokenizer.tokenize("Q: What color")
    lm = build_language_model(RECIPE["architecture"], tokenizer, 1)
    assert lm.config.vocab_size == len(tokenizer)


def test_augmentation_keeps_shape_and_draws_from_its_generator_only():
    pixels = torch.randint(0, 256, (5, 3, 12, 12), dtype=torch.uint8)
    settings = RECIPE["augment"]
    one, two = (augment(pixels, settings, torch.Generator().manual_seed(1)) for _ in range(2))
    assert one.shape == (5, 3, 12, 12)
    assert torch.equal(one, two)
    still = {"flip": False, "shift_px": 0, "brightness": 0.0}
    unchanged = augment(pixels, still, torch.Generator().manual_seed(1))
    torch.testing.assert_close(unchanged, normalise(pixels))


def test_learning_rate_warms_up_and_falls_to_its_floor():
    rates = [learning_rate(step, STEPS) for step in range(STEPS["steps"])]
    assert rates[0] < rates[1] == max(rates)
    assert all(b <= a for a, b in pairwise(rates[1:]))
    assert learning_rate(STEPS["steps"], STEPS) == pytest.approx(STEPS["final_lr_share"])


def test_shipped_weights_are_complete():
    packed = sorted(Path("data/weights").glob("*/packed.json"))
    assert [p.parent.name for p in packed] == [
        "tiny_clip", "tiny_dino", "tiny_llava", "tiny_llava_aligned"
    ]  # fmt: skip
    for path in packed:
        note = read_json(path)
        assert {p.name for p in path.parent.iterdir()} == {
            "packed.json", *(entry["path"] for entry in note["files"])
        }  # fmt: skip
