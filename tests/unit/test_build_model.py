"""Controlled models: the weights that training changes, and mixtures that equal one encoder."""

import json

import pytest
import torch
from training_fixture import RECIPE, STEPS, draw, flags
from transformers import Dinov2Model, LlavaForConditionalGeneration

from eyechart.core.files import read_json
from eyechart.models.mixture import CONNECTORS, QUERIED, Mixture, Towers, connector, inner_width
from eyechart.models.spec import built
from eyechart.rendering.datasets.clevr.captions import caption_question
from eyechart.tables.parquet import read_table
from eyechart.tiny_models import build_model, train_clip, train_dino, train_language, train_llava
from eyechart.tiny_models.images import load_images
from eyechart.tiny_models.labels import kinds, object_labels
from eyechart.tiny_models.packing import Packer

CONNECTOR = "model.multi_modal_projector."


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a read-only folder with images and the models from which others are built."""
    folder = tmp_path_factory.mktemp("made")
    draw(folder / "raw", captions=1)
    ready = {s: str(folder / s / "model/ready.json") for s in ("contrastive", "language")}
    train_clip.main(flags(folder / "raw", folder, "contrastive"))
    train_language.main(flags(folder / "raw", folder, "language"))
    train_dino.main(flags(folder / "raw", folder, "distillation"))
    earlier = ["--vision", ready["contrastive"], "--language", ready["language"]]
    aligned = flags(folder / "raw", folder, "alignment")
    train_llava.main(["--stage", "alignment", *aligned, *earlier])
    return folder


def build(made, name, *encoders, augment=RECIPE["augment"], **how):
    """Train a controlled model from some encoders; return its weights."""
    how = built({"trains": "connector", "encoders": list(encoders), **how})
    recipe = {name: RECIPE[name] for name in ("images", "held_out", "architecture")}
    recipe |= {"augment": augment, "built": how, "stage": {**STEPS, "questions": 2}, "queries": 3}
    parts = [*encoders, *(["alignment"] if encoders else [])]
    paths = [str(made / part / "model/ready.json") for part in parts]
    build_model.main(["--parts", *paths, *flags(made / "raw", made, name, recipe)])
    folder = made / name / "model"
    return (Mixture if encoders else Dinov2Model).from_pretrained(folder).state_dict()


@pytest.mark.parametrize(("share", "encoder"), [(0.0, "contrastive"), (1.0, "distillation")])
def test_a_mixture_with_share_0_or_1_trains_to_the_single_encoders_model(made, share, encoder):
    both = ("contrastive", "distillation")
    how = {"trains": "connector_and_lm"}
    mixed = build(made, f"mixed_{share}", *both, mix="additive", share=share, **how)
    alone = build(made, f"alone_{encoder}", encoder, **how)
    trained = [name for name in alone if "vision_tower" not in name]
    assert sum(name.startswith(CONNECTOR) for name in trained) == 4
    for name in trained:
        assert torch.equal(mixed[name], alone[name]), name
    other = build(made, "other", *both, mix="additive", share=0.5, **how)
    for name in (trained[0], "model.language_model.norm.weight"):
        assert not torch.equal(other[name], alone[name]), name


def test_interleaved_encoders_have_two_connectors_and_twice_the_tokens(made):
    weights = build(made, "two", "contrastive", "distillation", mix="interleaved")
    assert sum(name.startswith(CONNECTOR) for name in weights) == 8
    assert read_json(made / "two/model/config.json")["image_seq_length"] == 2 * 4


def test_encoders_get_images_of_the_chosen_grid_even_if_trained_with_another(made):
    build(made, "finer", "contrastive", "distillation", mix="interleaved", grid=3)
    model = Mixture.from_pretrained(made / "finer/model").eval()
    assert model.config.image_seq_length == 2 * 3**2
    size = read_json(made / "finer/model/processor_config.json")["image_processor"]["crop_size"]
    assert size == {"height": 30, "width": 30}
    with torch.inference_mode():
        found = model.model.vision_tower(torch.randn(1, 3, 30, 30)).hidden_states[-1]
    assert found.shape == (1, 1 + 3**2, 2 * 16)


@pytest.mark.parametrize(
    ("trains", "brightness", "seen"),
    [
        ("connector", 0.0, 10),
        ("connector_and_lm", 0.0, 10),
        ("connector", 0.1, 6 * 4),
        ("all", 0.0, 6 * 4),
    ],
)
def test_frozen_encoders_see_each_image_once_if_images_are_not_augmented(
    made, monkeypatch, trains, brightness, seen
):
    images = []
    forward = Towers.forward
    monkeypatch.setattr(
        Towers,
        "forward",
        lambda self, pixels, **more: images.append(len(pixels)) or forward(self, pixels, **more),
    )
    augment = {"flip": False, "shift_px": 0, "brightness": brightness}
    build(made, f"seen_{brightness}", "contrastive", augment=augment, trains=trains)
    evaluations = 2 * 2 * RECIPE["held_out"]  # at steps 3 and 6, with the image and without
    assert sum(images) == seen + evaluations


def test_cached_features_give_the_loss_of_unaugmented_images(made):
    how = built({"trains": "connector", "encoders": ["contrastive"]})
    parts = [made / part / "model/ready.json" for part in ("contrastive", "alignment")]
    model, processor = build_model.assemble({"built": how, "queries": 3}, parts, 3)
    packer = Packer(processor.tokenizer, model.config.image_seq_length)
    images = load_images(made / "raw", "train")
    recipe = {"augment": {"flip": False, "shift_px": 0, "brightness": 0.0}}
    settings = {"batch": 4, "questions": 2}
    losses = [
        train_llava.make_loss(model, packer, images, recipe, settings, features)(
            torch.Generator().manual_seed(5)
        )
        for features in (None, build_model.fixed_features(model, images, made))
    ]
    assert torch.allclose(*losses, atol=1e-5), losses


@pytest.mark.parametrize(
    ("trains", "others"),
    [
        ("connector", set()),
        ("connector_and_lm", {"language_model", "weight"}),  # the last is the head
        ("all", {"language_model", "weight", "vision_tower"}),
    ],
)
def test_only_the_connector_and_the_listed_parts_are_trained(made, trains, others):
    start = LlavaForConditionalGeneration.from_pretrained(made / "alignment/model").state_dict()
    moved = set()
    for name, value in build(made, trains, "contrastive", trains=trains).items():
        if not name.startswith(CONNECTOR):  # which is new in every model
            source = start[name.replace("vision_tower.towers.0.", "vision_tower.")]
            moved |= {name.split(".")[1]} if not torch.equal(value, source) else set()
    assert moved == others
    curve = read_table(made / trains / "curve.parquet", ["metric", "step"]).to_pylist()
    seen = {"sighted/color", "blank/color", "sighted/caption", "blank/caption"}
    assert {row["metric"] for row in curve} >= {"loss", *seen}


def test_captions_are_used_for_training_if_available(made):
    train, held_out = (load_images(made / "raw", split) for split in ("train", "val"))
    for images in (train, held_out):
        for scene, questions in zip(images.scenes, images.questions, strict=True):
            own = [q for q in questions if q["task"] == "caption"]
            assert own == [caption_of(scene)]
    lines = read_table(made / "alignment/curve.parquet", ["metric"]).to_pylist()
    assert {"metric": "sighted/caption"} in lines


def caption_of(scene):
    asked = caption_question(scene)
    return {"question": asked["question"], "answer": asked["answer"], "task": "caption"}


def test_two_training_runs_give_equal_bytes(made):
    for name in ("first", "second"):
        build(made, name, "contrastive", connector="qformer")
    first, second = (made / name / "model/model.safetensors" for name in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("kind", CONNECTORS)
def test_connectors_have_as_many_parameters_within_two_percent(kind):
    queries = 64 if kind in QUERIED else 0
    made = connector(kind, 128, inner_width(kind, 128, 128, queries), 128, queries)
    count = sum(parameter.numel() for parameter in made.parameters())
    assert abs(count / 33_024 - 1) < 0.02, count  # 33,024: LLaVA's two layers at width 128


def test_a_linear_connector_is_linear_and_queries_attend_to_all_patches():
    torch.manual_seed(0)
    tokens = torch.randn(3, 5, 8)
    linear = connector("linear", 8, 8, 6, 0)
    halfway = linear(tokens[:1] / 2 + tokens[1:2] / 2)
    ends = linear(tokens[:1]) / 2 + linear(tokens[1:2]) / 2
    assert torch.allclose(halfway, ends, atol=1e-6)
    for kind in QUERIED:
        asked = connector(kind, 8, 8, 6, 4).eval()
        assert asked(tokens).shape == (3, 4, 6)
        assert torch.allclose(asked(tokens), asked(tokens.flip(1)), atol=1e-5)  # in any order
        changed = tokens.clone()
        changed[:, 4] += 1
        assert ((asked(changed) - asked(tokens)).abs().amax((0, 2)) > 1e-6).all()


def test_an_encoder_is_trained_on_the_colours_and_shapes_of_objects(made):
    scenes = [
        {"objects": [{"color": "red", "shape": "cube"}, {"color": "blue", "shape": "sphere"}]},
        {"objects": [{"color": "red", "shape": "cube"}]},
    ]
    assert kinds(scenes) == ["blue sphere", "red cube"]
    assert object_labels(scenes, ["blue sphere", "green cube", "red cube"]).tolist() == [
        [1, 0, 1],
        [0, 0, 1],
    ]
    weights = build(made, "labelled", trains="labels")
    assert not any(name.startswith("head") for name in weights)
    curve = read_table(made / "labelled/curve.parquet", ["metric", "value"]).to_pylist()
    losses = [row["value"] for row in curve if row["metric"] == "loss"]
    assert losses[-1] < losses[0]
    assert {"labels/there", "labels/not_there"} <= {row["metric"] for row in curve}
    assert json.loads((made / "labelled/model/config.json").read_text())["model_type"] == "dinov2"
