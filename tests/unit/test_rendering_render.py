"""Images match their plans, and their bytes do not depend on the number of shards."""

import json

import numpy as np
import pytest
from PIL import Image

from eyechart.core import errors, randomness
from eyechart.rendering.datasets.clevr import draw as clevr_draw
from eyechart.rendering.datasets.clevr import write as clevr_write
from eyechart.rendering.renderer import render
from eyechart.rendering.scene.clevr import RELATION_MARGIN, draw_plan, half_width, scene_of
from eyechart.rendering.scene.materials import decode_srgb, encode_srgb
from eyechart.rendering.scene.viewing import project
from eyechart.rendering.scene.vocabulary import SIZES

SETTINGS = {
    "image_px": [64, 48],
    "samples_per_pixel": 4,
    "objects": [1, 3],
    "extent": 1.3,
    "gap": 0.05,
    "min_visible_px": 10,
    "light_jitter": 1.0,
    "camera": {"position": [0, -9, 6], "target": [0, 0, 0.3], "fov": 24, "jitter": 0.3},
    "truth": True,
    "shards": 1,
    "splits": {"val": 5},
    "families": ["query", "count", "exist"],
    "balance": True,
    "questions": {"color": 1, "number": 1, "boolean": 1},
}


def plan(name, **changes):
    return draw_plan(randomness.generator("test", name), {**SETTINGS, **changes})


def draw(root, shards, settings=SETTINGS):
    settings = {**settings, "shards": shards}
    outputs = []
    for shard in range(shards):
        outputs.append(root / "shards" / f"val-{shard:03d}.json")
        flags = ["--dataset", "clevr", "--split", "val", "--shard", str(shard), "--seed", "7"]
        flags += ["--settings", json.dumps(settings), "--root", str(root)]
        clevr_draw.main([*flags, "--output", str(outputs[-1])])
    flags = ["--dataset", "clevr", "--settings", json.dumps(settings), "--seed", "7"]
    flags += ["--root", str(root), "--output", str(root / "acquired.json")]
    clevr_write.main([*flags, "--shards", *map(str, outputs)])


def read(path):
    with Image.open(path) as image:
        return np.array(image)


def tree(root):
    return {
        str(p.relative_to(root)): p.read_bytes()
        for p in sorted(root.rglob("*"))
        if p.is_file() and "shards" not in p.parts
    }


def test_bytes_do_not_depend_on_the_number_of_shards(tmp_path):
    draw(tmp_path / "one", 1)
    draw(tmp_path / "three", 3)
    assert tree(tmp_path / "one") == tree(tmp_path / "three")


def test_the_layout_is_clevrs_and_consistent(tmp_path):
    draw(tmp_path, 2)
    scenes = json.loads((tmp_path / "scenes/CLEVR_val_scenes.json").read_text())["scenes"]
    asked = json.loads((tmp_path / "questions/CLEVR_val_questions.json").read_text())["questions"]
    assert [s["image_index"] for s in scenes] == list(range(5))
    assert {q["image_filename"] for q in asked} <= {s["image_filename"] for s in scenes}
    for scene in scenes:
        stem = scene["image_filename"].removesuffix(".png")
        image = read(tmp_path / "images/val" / scene["image_filename"])
        mask = read(tmp_path / f"truth/val/{stem}_mask.png")
        depth = read(tmp_path / f"truth/val/{stem}_depth.png")
        assert image.shape == (48, 64, 3)
        assert mask.shape == depth.shape == (48, 64)
        assert depth.dtype == np.uint16
        assert set(np.unique(mask)) == set(range(len(scene["objects"]) + 1))
        for i, obj in enumerate(scene["objects"]):
            x, y, w, h = obj["bbox"]
            assert (mask[y : y + h, x : x + w] == i + 1).sum() == obj["visible_px"] >= 10
            assert obj["shape"] in ("cube", "sphere", "cylinder")
        assert set(scene["relationships"]) == {"left", "right", "front", "behind"}


def test_objects_are_where_the_plan_says():
    for name in range(6):
        scene = plan(name, objects=[1, 1])
        view = render(scene_of(scene), SETTINGS)
        rows, columns = np.nonzero(view.part == 1)
        x, y, depth = project(view.camera, scene["objects"][0]["3d_coords"], view.image_px)
        assert abs(columns.mean() + 0.5 - x) < 2.5
        assert abs(rows.mean() + 0.5 - y) < 2.5
        nearest = view.depth[view.part == 1].min()
        assert depth - 1.5 * SIZES[scene["objects"][0]["size"]] < nearest < depth


def test_rendering_again_and_again_gives_the_same_pixels():
    # the renderer used to swap the two lights in one scene of ten, by memory address
    scene, settings = plan("again", objects=[3, 3]), {**SETTINGS, "image_px": [16, 12]}
    views = [render(scene_of(scene), settings, seed=3) for _ in range(60)]
    assert len({view.rgb.tobytes() for view in views}) == 1
    assert not np.array_equal(views[0].rgb, render(scene_of(scene), settings, seed=4).rgb)


def test_without_a_seed_there_is_ground_truth_but_no_image():
    scene = scene_of(plan("truth"))
    bare, full = render(scene, SETTINGS), render(scene, SETTINGS, seed=1)
    assert bare.rgb.size == 0 and full.rgb.shape == (48, 64, 3)
    for name in ("position", "depth", "thing", "part"):
        assert np.array_equal(getattr(bare, name), getattr(full, name))


def test_depth_of_the_floor_is_along_the_axis_of_the_camera():
    view = render(scene_of(plan("depth")), SETTINGS)
    columns, rows = np.meshgrid(np.arange(64) + 0.5, np.arange(48) + 0.5)
    focal = 32 / np.tan(np.radians(24) / 2)
    right, up, forward = view.camera.axes()
    ways = forward + ((columns - 32)[..., None] * right - (rows - 24)[..., None] * up) / focal
    expected = -view.camera.position[2] / ways[..., 2]  # where this ray meets z = 0
    floor = view.part == 0
    assert floor.sum() > 1000
    assert np.abs(view.depth / expected - 1)[floor].max() < 0.01  # rays pass inside the pixel


@pytest.mark.parametrize("color", ["red", "green", "blue"])
def test_rubber_has_the_hue_of_its_color(color):
    scene = plan("hue", objects=[1, 1])
    scene["objects"][0] |= {"color": color, "material": "rubber"}
    view = render(scene_of(scene), SETTINGS, seed=0)
    mean = view.rgb[view.part == 1].mean(0)
    assert int(mean.argmax()) == ("red", "green", "blue").index(color)


def test_objects_never_touch_and_stand_on_the_floor():
    for name in range(50):
        scene = plan(name, objects=[3, 4], extent=2.0)
        for i, a in enumerate(scene["objects"]):
            assert a["3d_coords"][2] == pytest.approx(half_width(a), abs=1e-6)
            for b in scene["objects"][:i]:
                gap = np.hypot(*np.subtract(a["3d_coords"][:2], b["3d_coords"][:2]))
                assert gap >= SIZES[a["size"]] + SIZES[b["size"]] + 0.05 - 1e-5


def test_relationships_mirror_each_other_and_agree_with_the_image():
    for name in range(30):
        scene = plan(name, objects=[3, 3])
        related = scene["relationships"]
        for one, other in (("left", "right"), ("front", "behind")):
            pairs = {(i, j) for i, row in enumerate(related[one]) for j in row}
            assert pairs == {(j, i) for i, row in enumerate(related[other]) for j in row}
        for i, row in enumerate(related["behind"]):
            for j in row:
                forward = np.subtract(scene["camera"]["target"], scene["camera"]["position"])[:2]
                step = np.subtract(
                    scene["objects"][j]["3d_coords"], scene["objects"][i]["3d_coords"]
                )
                assert forward @ step[:2] / np.linalg.norm(forward) > RELATION_MARGIN - 1e-5


def test_srgb_round_trip():
    values = np.arange(256)
    assert np.array_equal(encode_srgb(decode_srgb(values)), values)


def test_an_invisible_scene_is_a_one_sentence_error(tmp_path):
    with pytest.raises(errors.UserError, match=r"min_visible_px"):
        draw(tmp_path, 1, {**SETTINGS, "min_visible_px": 5000})
    assert not (tmp_path / "acquired.json").exists()
