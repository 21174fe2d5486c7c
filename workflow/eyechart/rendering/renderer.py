"""Ray-trace a scene with Mitsuba 3 (``scalar_rgb``): its image and ground truth for each pixel.

The film uses the box filter, so the bytes do not depend on the number of threads.
"""

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from eyechart.rendering.scene.materials import Surface, decode_srgb, encode_srgb, texture
from eyechart.rendering.scene.meshes import EXACT, Mesh, body, moved
from eyechart.rendering.scene.model import Camera, Scene, Solid, Thing, part_of

METAL_ROUGHNESS = 0.12
PATH_DEPTH = 4
FLAT = 1e-3  # world units: tolerance of floor hits around z = 0
FLOOR_HALF, FLOOR_REPEATS = 40.0, 16  # half a side of the floor, world units; texture repeats
LOADED = 8  # scenes kept in memory
AXES = {"x": [1, 0, 0], "y": [0, 1, 0], "z": [0, 0, 1]}


@dataclass(frozen=True)
class View:
    """The image of a scene, and the ground truth from one ray per pixel."""

    rgb: np.ndarray  # uint8 (h, w, 3), sRGB; without pixels if no image was requested
    position: np.ndarray  # float64 (h, w, 3), the point hit by the ray, in world units
    depth: np.ndarray  # float32 (h, w), distance along the camera's axis; 0 where nothing is hit
    thing: np.ndarray  # uint8 (h, w), i + 1 for thing i, 0 for floor and background
    part: np.ndarray  # uint8 (h, w), i + 1 for ``names[i]``, 0 for floor and background
    names: tuple[tuple[int, str], ...]  # (index of the thing, name of the part) of every part
    camera: Camera  # camera of the scene

    @property
    def shows_lamp(self) -> bool:
        """Whether a lamp is visible: a ray hit something other than a thing or the floor."""
        other = (self.thing == 0) & (self.depth > 0)
        return bool((other & (np.abs(self.position[..., 2]) > FLAT)).any())

    @property
    def image_px(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.depth.shape[1], self.depth.shape[0]

    def visible_px(self) -> np.ndarray:
        """Return the number of pixels of every part, int (parts,)."""
        return np.bincount(self.part.ravel(), minlength=len(self.names) + 1)[1:]


@functools.cache
def mitsuba() -> Any:
    """Return the Mitsuba module, loaded once, in the variant used for rendering."""
    import drjit  # noqa: PLC0415
    import mitsuba as mi  # noqa: PLC0415  (heavy, and its variant must be set before any use)

    mi.set_variant("scalar_rgb")
    drjit.set_thread_count(1)  # a job renders on one core; shards run in parallel
    return mi


def render(scene: Scene, settings: dict[str, Any], seed: int | None = None) -> View:
    """Return the ground truth of a scene and, if a seed is given, its image.

    Parameters
    ----------
    settings : ``image_px`` [width, height], ``samples_per_pixel``
    seed : int, optional; seeds the image's sampler; 32 bits are used
    """
    mi = mitsuba()
    loaded = _load(scene, *settings["image_px"])
    truth = mi.load_dict({"type": "aov", "aovs": "at:position,index:shape_index"})
    layers = np.array(mi.render(loaded, integrator=truth, spp=1, seed=0), dtype=np.float64)
    position, index = layers[..., :3], layers[..., 3].round().astype(int)  # 0 is no shape
    owners = [(0, 0)] + [_owner(shape.id()) for shape in loaded.shapes()]
    thing, part = np.array(owners, dtype=np.uint8).T
    depth = (position - scene.camera.position) @ scene.camera.axes()[2]
    depth = np.where(index > 0, depth, 0).astype(np.float32)
    rgb = np.zeros((0, 0, 3), dtype=np.uint8)
    if seed is not None:
        path = mi.load_dict({"type": "path", "max_depth": PATH_DEPTH})
        samples = settings["samples_per_pixel"]
        linear = mi.render(loaded, integrator=path, spp=samples, seed=seed % 2**32)
        rgb = encode_srgb(np.array(linear)[..., :3])
    return View(rgb, position, depth, thing[index], part[index], _names(scene), scene.camera)


def _names(scene: Scene) -> tuple[tuple[int, str], ...]:
    return tuple({(n, part_of(b)): None for n, t in enumerate(scene.things) for b in t.solids})


def _owner(shape_id: str) -> tuple[int, int]:
    """Return the indices, plus one, of the thing and part that a shape belongs to."""
    if not shape_id.startswith("part-"):
        return 0, 0
    _, thing, part, _ = shape_id.split("-")
    return int(thing) + 1, int(part) + 1


@functools.lru_cache(maxsize=LOADED)
def _load(scene: Scene, width: int, height: int) -> Any:
    """Return Mitsuba's scene; shapes are called ``part-<thing>-<part>-<number>``."""
    mi = mitsuba()
    transform = mi.ScalarTransform4f
    loaded: dict[str, Any] = {
        "type": "scene",
        "sensor": _sensor(scene.camera, width, height),
        "sky": {"type": "constant", "radiance": _rgb(scene.sky)},
        "floor": {
            "type": "rectangle",
            "to_world": transform().scale([FLOOR_HALF, FLOOR_HALF, 1]),
            "bsdf": _bsdf(scene.floor, FLOOR_REPEATS),
        },
    }
    for n, light in enumerate(scene.lights):
        place = transform().look_at(origin=list(light.position), target=[0, 0, 0], up=[0, 0, 1])
        loaded[f"light-{n}"] = {
            "type": "rectangle",
            "to_world": place @ transform().scale([light.scale] * 3),
            "emitter": {"type": "area", "radiance": _rgb(light.radiance)},
        }
    names = _names(scene)
    for n, thing in enumerate(scene.things):
        for name, solid in thing.solids.items():
            # Mitsuba reads a dot as a path within the scene
            shape = f"part-{n}-{names.index((n, part_of(name)))}-{len(loaded)}"
            loaded[shape] = _shape(shape, thing, solid)
    # optimisation would order shapes by memory address
    return mi.load_dict(loaded, optimize=False)


def _sensor(camera: Camera, width: int, height: int) -> dict[str, Any]:
    place = mitsuba().ScalarTransform4f().look_at(
        origin=list(camera.position), target=list(camera.target), up=camera.up()
    )  # fmt: skip
    return {
        "type": "perspective",
        "fov": camera.fov,
        "fov_axis": "x",
        "to_world": place,
        "film": {
            "type": "hdrfilm",
            "width": width,
            "height": height,
            "pixel_format": "rgb",
            "rfilter": {"type": "box"},
        },
        "sampler": {"type": "independent"},
    }


def _shape(name: str, thing: Thing, solid: Solid) -> Any:
    """Return Mitsuba's input for a body: a description, or a mesh called ``name``."""
    paint = _bsdf(thing.surfaces[solid.paint])
    if solid.kind not in EXACT and solid.kind != "wedge":
        return _mesh(name, thing.mesh(solid), paint)
    transform = mitsuba().ScalarTransform4f
    place = transform().translate(list(thing.at)).rotate(AXES["z"], thing.turn)
    place = place.scale([thing.size] * 3)
    # each step rounds the inverse, so steps that change nothing are omitted
    if any(solid.at):
        place = place.translate(list(solid.at))
    for axis, degrees in reversed(solid.turns):
        place = place.rotate(AXES[axis], degrees)
    if set(solid.scale) != {1.0}:
        place = place.scale(list(solid.scale))
    if solid.kind == "wedge":  # placed with the same precision as the exact shapes that it touches
        return _mesh(name, moved(body("wedge", 0), np.array(place.matrix)), paint)
    return {**EXACT[solid.kind], "to_world": place, "bsdf": paint}


def _mesh(name: str, mesh: Mesh, paint: dict[str, Any]) -> Any:
    mi = mitsuba()
    given = mi.Properties()
    given["bsdf"] = mi.load_dict(paint)
    smooth = len(mesh.normals) > 0
    loaded = mi.Mesh(
        name, len(mesh.vertices), len(mesh.faces), props=given,
        has_vertex_normals=smooth, has_vertex_texcoords=smooth,
    )  # fmt: skip
    values = mi.traverse(loaded)
    values["vertex_positions"] = mesh.vertices.astype(np.float32).ravel()
    if smooth:
        values["vertex_normals"] = mesh.normals.astype(np.float32).ravel()
        values["vertex_texcoords"] = mesh.texture.astype(np.float32).ravel()
    values["faces"] = mesh.faces.astype(np.uint32).ravel()
    values.update()
    return loaded


def _bsdf(surface: Surface, repeat: float = 1.0) -> dict[str, Any]:
    """Return Mitsuba's description of a material, with its pattern repeated in each direction."""
    color = _rgb(decode_srgb(np.array(surface.color)))
    if surface.pattern != "plain" or surface.text:
        mi = mitsuba()
        to_uv = mi.ScalarTransform4f().scale([repeat, repeat, 1])
        bitmap = mi.Bitmap(texture(surface))
        color = {"type": "bitmap", "bitmap": bitmap, "raw": True, "to_uv": to_uv}
    if surface.finish == "rubber":
        return {"type": "diffuse", "reflectance": color}
    if surface.finish == "gloss":
        # plastic would look similar, but takes 0.1 s to load
        return {"type": "principled", "base_color": color, "roughness": 0.25, "specular": 0.6}
    return {
        "type": "roughconductor",
        "material": "none",
        "alpha": METAL_ROUGHNESS,
        "specular_reflectance": color,
    }


def _rgb(values: Any) -> dict[str, Any]:
    return {"type": "rgb", "value": [float(v) for v in values]}
