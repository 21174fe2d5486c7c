"""Projections agree with cameras and rays, and hidden points are detected."""

import random

import numpy as np
import pytest
from rendering_fixture import SETTINGS

from eyechart.rendering.datasets.blink.matching import draw_things
from eyechart.rendering.datasets.blink.things import SPECIES, draw_thing
from eyechart.rendering.points import part_spots, visible_in
from eyechart.rendering.renderer import render
from eyechart.rendering.scene.materials import Surface
from eyechart.rendering.scene.meshes import body
from eyechart.rendering.scene.model import Camera, Light, Scene, Solid, Thing
from eyechart.rendering.scene.viewing import (
    facing,
    framed_camera,
    jittered_camera,
    lights,
    orbit,
    project,
)

FRONT = Camera((0.0, -9.0, 1.0), (0.0, 0.0, 1.0), 30.0)
IMAGE_PX = (60, 40)


def box(name, at, half):
    solid = Solid("block", (0, 0, 0), (half,) * 3)
    return Thing(name, {"body": solid}, {"own": Surface((200, 60, 60))}, at)


def seen(*things, camera=FRONT, image_px=IMAGE_PX, lit=None):
    lit = lit or lights(random.Random(1), SETTINGS)
    return render(Scene(things, lit, camera), {"image_px": image_px})


def cameras(count):
    rng = random.Random(5)
    for _ in range(count):
        camera = jittered_camera(rng, SETTINGS)
        yield orbit(camera, rng.uniform(-180, 180), rng.uniform(-25, 30), rng.uniform(-60, 60),
                    rng.uniform(0.7, 1.6))  # fmt: skip


def test_every_ray_projects_into_its_own_pixel():
    things = draw_things(random.Random(2))
    for camera in cameras(6):
        view = seen(*things, camera=camera)
        at = project(camera, view.position, IMAGE_PX)
        columns, rows = np.meshgrid(np.arange(60) + 0.5, np.arange(40) + 0.5)
        shown = view.depth > 0
        assert np.abs(at[..., 0] - columns)[shown].max() < 0.5 + 1e-3
        assert np.abs(at[..., 1] - rows)[shown].max() < 0.5 + 1e-3
        assert np.allclose(at[..., 2][shown], view.depth[shown], atol=1e-4)


def test_a_point_of_one_view_projects_onto_its_surface_in_another():
    rng = random.Random(3)
    for seed in range(3):
        things = draw_things(random.Random(seed))
        first, second = (
            seen(*things, camera=framed_camera(camera, things, 0.9, IMAGE_PX))
            for camera in cameras(2)
        )
        shown = (first.thing > 0) & visible_in(second, first.position)
        assert shown.sum() > 20
        for row, column in rng.sample(np.argwhere(shown).tolist(), 20):
            point = first.position[row, column]
            x, y, _ = project(second.camera, point, IMAGE_PX)
            # the nearest ray of the second view is at most half a pixel away
            met = project(second.camera, second.position[int(y), int(x)], IMAGE_PX)
            assert abs(met[0] - x) < 1 and abs(met[1] - y) < 1
            back = project(first.camera, point, IMAGE_PX)
            assert abs(back[0] - column - 0.5) < 0.51 and abs(back[1] - row - 0.5) < 0.51


def test_occluded_points_are_not_visible():
    view = seen(box("near", (0, -3, 1), 0.8), box("far", (0, 2, 1), 0.6))
    near, hidden = [0.1, -3.8, 1.1], [0.1, 1.4, 1.1]
    assert visible_in(view, [near, hidden]).tolist() == [True, False]
    alone = seen(box("far", (0, 2, 1), 0.6))
    assert visible_in(alone, [near, hidden]).tolist() == [False, True]


def test_the_back_of_a_thing_is_not_visible():
    view = seen(box("only", (0, 0, 1), 0.8))
    assert visible_in(view, [[0.2, -0.8, 1.2], [0.2, 0.8, 1.2]]).tolist() == [True, False]


def test_points_outside_the_image_or_behind_the_camera_are_not_visible():
    view = seen(box("only", (0, 0, 1), 0.8))
    assert not visible_in(view, [[30.0, 0.0, 0.0], [0.0, -20.0, 1.0]]).any()
    assert np.isnan(project(FRONT, [0.0, -20.0, 1.0], IMAGE_PX)[:2]).all()


def test_a_lamp_in_the_image_is_noticed():
    lamp = Light((0.0, -5.0, 1.5), 0.5, (9.0, 9.0, 9.0))
    assert seen(box("only", (0, 0, 1), 0.8), lit=(lamp,)).shows_lamp
    assert not seen(box("only", (0, 0, 1), 0.8)).shows_lamp


def test_lights_turn_with_the_camera():
    ways = []
    for azimuth in (0, 75, 200):
        camera = orbit(FRONT, azimuth)
        key, _ = lights(random.Random(1), SETTINGS, facing(camera))
        ways.append(np.array(key.position) @ camera.axes().T)
    assert np.allclose(ways, ways[0], atol=1e-4)


@pytest.mark.parametrize("side", [1, -1])
def test_a_camera_that_rolls_turns_the_image_the_other_way(side):
    rolled = orbit(FRONT, roll=90 * side)
    x, y, _ = project(rolled, [0.0, 0.0, 2.0], IMAGE_PX)  # above the middle
    assert y == pytest.approx(20) and (x < 30 if side > 0 else x > 30)


def test_zoom_and_frame_have_the_stated_effect():
    x = project(FRONT, [1.0, 0.0, 1.0], IMAGE_PX)[0] - 30
    assert project(orbit(FRONT, zoom=2), [1.0, 0.0, 1.0], IMAGE_PX)[0] - 30 == pytest.approx(2 * x)
    for kind in SPECIES:
        thing = draw_thing(random.Random(kind), kind)
        camera = framed_camera(FRONT, [thing], 0.8, IMAGE_PX)
        corners = np.concatenate([mesh.vertices for mesh in thing.meshes()])
        at = project(camera, corners, IMAGE_PX)[:, :2] - (30, 20)
        assert np.abs(at).max() == pytest.approx(0.8 * 40 / 2, abs=0.05)


@pytest.mark.parametrize(
    ("kind", "shape"), [("block", 0), ("ball", 0), ("drum", 0), ("cone", 0.3), ("arc", 0.25)]
)
def test_bodies_are_closed_fill_their_box_and_face_outward(kind, shape):
    mesh = body(kind, shape)
    corners = mesh.vertices[mesh.faces]  # (f, 3, 3)
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    # divergence theorem: a closed surface facing outward encloses a positive volume
    volume = np.einsum("fi,fi->", corners[:, 0], cross) / 6
    expected = {"block": 8, "ball": 4 * np.pi / 3, "drum": 2 * np.pi,
                "cone": 2 * np.pi * (1 + 0.3 + 0.09) / 3,
                "arc": np.pi * 0.25**2 * np.pi * 0.75}[kind]  # fmt: skip
    assert volume == pytest.approx(expected, rel=0.08)
    assert np.abs(cross.sum(axis=0)).max() < 1e-6  # no hole
    assert np.abs(mesh.vertices).max() == pytest.approx(1)
    facing = np.einsum("fi,fi->f", cross, mesh.normals[mesh.faces].mean(axis=1))
    assert facing.min() > -1e-9
    assert np.allclose(np.linalg.norm(mesh.normals, axis=1), 1)


def test_the_middle_of_a_part_is_on_the_part():
    thing = draw_thing(random.Random(4), "creature")
    view = seen(thing, camera=framed_camera(FRONT, [thing], 0.9, (80, 80)), image_px=(80, 80))
    spots = part_spots(view)
    assert {"body", "foot", "horn"} <= set(spots)
    for name, (x, y) in spots.items():
        assert view.names[view.part[int(y), int(x)] - 1] == (0, name)
