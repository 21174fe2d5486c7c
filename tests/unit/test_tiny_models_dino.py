"""The self-supervised encoder: teacher, views, and resumption after kills."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from stopping_steps import hold, kill_step
from training_fixture import RECIPE, draw, flags
from transformers import AutoImageProcessor, Dinov2Model

from eyechart.tables.parquet import read_table
from eyechart.tiny_models import train_dino
from eyechart.tiny_models.architectures import build_dino
from eyechart.tiny_models.images import TrainingImages, load_images, normalise
from eyechart.tiny_models.train_dino import StudentTeacher, neighbour_accuracies
from eyechart.tiny_models.views import draw_mask, draw_views
from eyechart.training import loop

OWN = RECIPE["distillation"]
STILL = {**OWN, "crop": 1.0, "noise": 0.0, "blur": 0.0}
STILL |= dict.fromkeys(("brightness", "contrast", "saturation"), 0.0)


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """Return ten rendered training images and four held-out images; read-only."""
    root = tmp_path_factory.mktemp("raw")
    draw(root)
    return root


@pytest.fixture
def pair():
    """Return an untrained student and teacher."""
    return StudentTeacher(build_dino(RECIPE["architecture"], 1), OWN)


def dice(seed=1):
    return torch.Generator().manual_seed(seed)


def pixels(n, side=20):
    return torch.randint(0, 256, (n, 3, side, side), generator=dice(), dtype=torch.uint8)


def test_the_teacher_is_the_running_mean_of_the_student_and_nothing_trains_it(pair):
    before = [p.clone() for p in pair.teacher.parameters()]
    for parameter in pair.student.parameters():
        parameter.data += 1.0
    pair.update_teacher()
    share = 1 - OWN["teacher_momentum"]
    for old, now in zip(before, pair.teacher.parameters(), strict=True):
        torch.testing.assert_close(now, old + share)
    pair(draw_views(pixels(4), OWN, dice()), draw_mask(4, 4, OWN, dice())).backward()
    assert all(p.grad is None for p in [*pair.teacher.parameters(), pair.centres])
    assert all(p.grad is not None for p in pair.student.parameters())


def test_a_view_is_predicted_from_the_other_view_of_the_same_image(pair):
    views, hidden = draw_views(pixels(6), OWN, dice()), draw_mask(6, 4, OWN, dice(2))
    with torch.no_grad():
        whole, patch = pair.teacher_targets(views, hidden)
        pair.centres.zero_()
        tokens = pair.student.tokens(views, hidden)
        log_p = (pair.student.whole(tokens[:, 0]) / OWN["student_temperature"]).log_softmax(-1)
        of_other = [-(whole[(i + 3) % 6] * log_p[i]).sum() for i in range(6)]
        each = []
        for i in range(6):
            mine = hidden.nonzero()[:, 0] == i
            logits = pair.student.patch(tokens[i, 1:][hidden[i]]) / OWN["student_temperature"]
            each.append(-(patch[mine] * logits.log_softmax(-1)).sum(-1).mean())
        expected = torch.stack(of_other).mean() + torch.stack(each).mean()
        torch.testing.assert_close(pair(views, hidden), expected)


def test_teacher_outputs_are_centred_on_earlier_ones(pair):
    views, hidden = draw_views(pixels(4), OWN, dice()), draw_mask(4, 4, OWN, dice())
    tokens = pair.teacher.tokens(views)
    logits = pair.teacher.whole(tokens[:, 0])
    first, _ = pair.teacher_targets(views, hidden)
    torch.testing.assert_close(first, (logits / OWN["teacher_temperature"]).softmax(-1))
    moved = (1 - OWN["centre_momentum"]) * logits.mean(0)
    torch.testing.assert_close(pair.centres[0].detach(), moved.detach())
    second, _ = pair.teacher_targets(views, hidden)
    torch.testing.assert_close(second, ((logits - moved) / OWN["teacher_temperature"]).softmax(-1))


def test_views_without_augmentation_equal_the_images():
    images = pixels(3)
    torch.testing.assert_close(draw_views(images, STILL, dice()), normalise(images))
    half = torch.zeros(64, 3, 20, 20, dtype=torch.uint8)
    half[..., 10:] = 255
    seen = draw_views(half, OWN, dice())
    assert (seen[..., 10:].mean((1, 2, 3)) > seen[..., :10].mean((1, 2, 3))).all()


def test_views_keep_the_order_of_color_channels():
    red = torch.zeros(64, 3, 20, 20, dtype=torch.uint8)
    red[:, 0], red[:, 1] = 200, 60
    means = draw_views(red, OWN, dice()).mean((2, 3))
    assert (means[:, 0] > means[:, 1]).all()
    assert (means[:, 1] > means[:, 2]).all()


def test_every_view_hides_a_patch_and_the_share_is_right_on_average():
    hidden = draw_mask(4000, 64, OWN, dice())
    assert hidden.any(1).all()
    assert float(hidden.float().mean()) == pytest.approx(OWN["masked"], abs=0.02)


def test_neighbours_vote_and_an_image_finds_itself(raw, pair):
    known = load_images(raw, "train")
    alone = {**OWN, "known": 10, "neighbours": 1}
    found = neighbour_accuracies(pair.teacher.encoder, known, known, alone)
    assert set(found) == {f"nearest_neighbours/{task}" for task in train_dino.EVALUATED}
    assert set(found.values()) == {1.0}
    shuffled = TrainingImages(known.pixels.flip(0), known.scenes, known.questions)
    assert min(neighbour_accuracies(pair.teacher.encoder, known, shuffled, alone).values()) < 1


def test_the_saved_encoder_is_a_stock_dinov2_and_uses_its_processor(raw, tmp_path):
    train_dino.main(flags(raw, tmp_path, "distillation"))
    folder = tmp_path / "distillation" / "model"
    encoder = Dinov2Model.from_pretrained(folder)
    fresh = build_dino(RECIPE["architecture"], 3)
    moved = [
        not torch.equal(a, b) for a, b in zip(encoder.parameters(), fresh.parameters(), strict=True)
    ]
    assert all(moved)
    image = load_images(raw, "val").pixels[:1]
    processor = AutoImageProcessor.from_pretrained(folder)
    read = processor(image[0].permute(1, 2, 0).numpy(), return_tensors="pt")["pixel_values"]
    torch.testing.assert_close(read, normalise(image), atol=1e-5, rtol=0)
    curve = read_table(tmp_path / "distillation/curve.parquet").to_pydict()
    assert {"loss", "nearest_neighbours/object_count"} <= set(curve["metric"])
    assert np.isfinite(curve["value"]).all()


@pytest.mark.slow
def test_a_killed_training_resumes_to_the_same_weights_and_curve(raw, tmp_path):
    given = flags(raw, tmp_path / "killed", "distillation")
    reached = hold(tmp_path / "held", loop.step_generator, call=4)  # one step after a checkpoint
    kill_step("eyechart.tiny_models.train_dino", given, tmp_path / "held", reached.exists)
    assert (tmp_path / "killed/distillation/model.checkpoint.safetensors").exists()
    kept = []
    for name in ("killed", "whole"):
        train_dino.main(flags(raw, tmp_path / name, "distillation"))
        folder = tmp_path / name / "distillation"
        kept.append((load_file(folder / "model/model.safetensors"), folder / "curve.parquet"))
    (killed, one), (whole, other) = kept
    assert all(torch.equal(killed[name], whole[name]) for name in whole)
    assert one.read_bytes() == other.read_bytes()


def test_no_text_reaches_the_encoder(raw, tmp_path):
    twin = tmp_path / "wordless"
    (twin / "questions").mkdir(parents=True)
    for name in ("images", "scenes", "acquired.json"):
        (twin / name).symlink_to(raw / name)
    for split in ("train", "val"):
        nothing = json.dumps({"questions": []})
        (twin / "questions" / f"CLEVR_{split}_questions.json").write_text(nothing)
    found = []
    for root in (raw, twin):
        train_dino.main(flags(root, tmp_path / root.name, "distillation"))
        found.append(load_file(tmp_path / root.name / "distillation/model/model.safetensors"))
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])
