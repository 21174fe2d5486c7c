"""Ray-trace a scene plan with Mitsuba 3 (``scalar_rgb``): the image and its ground truth.

The film uses the box filter, so the bytes do not depend on the number of threads.
"""

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from eyechart.rendering.scene.clevr import Plan, half_width
from eyechart.rendering.scene.props import PROPS, build_part, draw_text, place_part
from eyechart.rendering.scene.vocabulary import COLORS

# Values chosen to resemble CLEVR: key, fill and sky light, floor grey.
KEY_LIGHT = {"position": (5.0, -4.0, 8.0), "scale": 2.0, "radiance": 9.0}
FILL_LIGHT = {"position": (-6.0, -5.0, 5.0), "scale": 1.5, "radiance": 4.0}
SKY_RADIANCE = 0.35
FLOOR_REFLECTANCE = 0.55
METAL_ROUGHNESS = 0.12
PATH_DEPTH = 4


@dataclass(frozen=True)
class SceneView:
    """Image and ground truth of one scene.

    ``rgb`` uint8 (h, w, 3); ``depth`` float32 (h, w), world units from the camera, 0 where nothing
    is hit; ``mask`` uint8 (h, w), 0 for no object and i + 1 for object i.
    """

    rgb: np.ndarray
    depth: np.ndarray
    mask: np.ndarray


@functools.cache
def mitsuba() -> Any:
    """Return the Mitsuba module, loaded once, in the variant used for rendering."""
    import drjit  # noqa: PLC0415
    import mitsuba as mi  # noqa: PLC0415  (heavy, and its variant must be set before any use)

    mi.set_variant("scalar_rgb")
    drjit.set_thread_count(1)  # a job renders on one core; shards run in parallel
    return mi


def render(plan: Plan, settings: dict[str, Any], seed: int) -> SceneView:
    """Render one plan.

    Parameters
    ----------
    plan : dict
        From :func:`eyechart.rendering.scene.clevr.draw_plan`.
    settings : dict
        ``image_px`` [width, height], ``samples_per_pixel``.
    seed : int
        Seeds the sampler; 32 bits of it are used.
    """
    mi = mitsuba()
    # optimizing orders shapes, and the two lights, by memory address
    scene = mi.load_dict(_scene_dict(mi, plan, settings["image_px"]), optimize=False)
    beauty = mi.load_dict({"type": "path", "max_depth": PATH_DEPTH})
    linear = mi.render(
        scene, integrator=beauty, spp=settings["samples_per_pixel"], seed=seed % 2**32
    )
    truth = mi.load_dict({"type": "aov", "aovs": "depth:depth,index:shape_index"})
    layers = np.array(mi.render(scene, integrator=truth, spp=1, seed=0))
    # shape_index counts from 1 in scene order; 0 is no shape
    owner = np.array([0] + [_owner(shape.id()) for shape in scene.shapes()], dtype=np.uint8)
    return SceneView(
        rgb=encode_srgb(np.array(linear)[..., :3]),
        depth=layers[..., 0].astype(np.float32),
        mask=owner[layers[..., 1].round().astype(int)],
    )


def project(plan: Plan, point: list[float], image_px: list[int]) -> list[float]:
    """Return the pixel (x, y) of a world point and its depth along the view (world units)."""
    position, target = np.array(plan["camera"]["position"]), np.array(plan["camera"]["target"])
    forward = (target - position) / np.linalg.norm(target - position)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    up = np.cross(right, forward)
    offset = np.array(point) - position
    depth = float(offset @ forward)
    width, height = image_px
    focal = 0.5 * width / np.tan(np.radians(plan["camera"]["fov"]) / 2)  # px; fov is horizontal
    x = width / 2 + focal * float(offset @ right) / depth
    y = height / 2 - focal * float(offset @ up) / depth
    return [x, y, depth]


def decode_srgb(values: np.ndarray) -> np.ndarray:
    """Return linear light in 0..1 of sRGB bytes (IEC 61966-2-1)."""
    v = np.asarray(values, dtype=np.float64) / 255
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def encode_srgb(linear: np.ndarray) -> np.ndarray:
    """Return sRGB bytes of linear light, clipped to 0..1 (IEC 61966-2-1)."""
    v = np.clip(np.asarray(linear, dtype=np.float64), 0, 1)
    encoded = np.where(v <= 0.0031308, 12.92 * v, 1.055 * v ** (1 / 2.4) - 0.055)
    return (encoded * 255 + 0.5).astype(np.uint8)


def _owner(shape_id: str) -> int:
    """Return i + 1 for a shape of object i (its id is ``object-<i>-<part>``), else 0."""
    return int(shape_id.split("-")[1]) + 1 if shape_id.startswith("object-") else 0


def _scene_dict(mi: Any, plan: Plan, image_px: list[int]) -> dict[str, Any]:
    transform = mi.ScalarTransform4f
    camera = plan["camera"]
    scene: dict[str, Any] = {
        "type": "scene",
        "sensor": {
            "type": "perspective",
            "fov": camera["fov"],
            "fov_axis": "x",
            "to_world": transform().look_at(
                origin=camera["position"], target=camera["target"], up=[0, 0, 1]
            ),
            "film": {
                "type": "hdrfilm",
                "width": image_px[0],
                "height": image_px[1],
                "pixel_format": "rgb",
                "rfilter": {"type": "box"},
            },
            "sampler": {"type": "independent"},
        },
        "sky": {"type": "constant", "radiance": SKY_RADIANCE},
        "floor": {
            "type": "rectangle",
            "to_world": transform().scale([40, 40, 1]),
            "bsdf": {"type": "diffuse", "reflectance": FLOOR_REFLECTANCE},
        },
    }
    for name, light, jitter in zip(
        ("key", "fill"), (KEY_LIGHT, FILL_LIGHT), plan["lights"], strict=True
    ):
        scene[name] = _light(transform, light, jitter)
    for i, obj in enumerate(plan["objects"]):
        scene.update(_object(mi, i, obj))
    return scene


def _light(transform: Any, light: dict[str, Any], jitter: list[float]) -> dict[str, Any]:
    origin = [p + j for p, j in zip(light["position"], jitter, strict=True)]
    return {
        "type": "rectangle",
        "to_world": transform().look_at(origin=origin, target=[0, 0, 0], up=[0, 0, 1])
        @ transform().scale([light["scale"]] * 3),
        "emitter": {"type": "area", "radiance": light["radiance"]},
    }


def _object(mi: Any, i: int, obj: dict[str, Any]) -> dict[str, Any]:
    """Return the Mitsuba shapes of one object; a closed cylinder is a tube and its upper disk."""
    transform = mi.ScalarTransform4f
    bsdf = _bsdf(obj["material"], obj["color"])
    place = transform().translate(obj["3d_coords"]).rotate([0, 0, 1], obj["rotation"])
    place = place.scale([half_width(obj)] * 3)
    if "form" in obj:
        return _prop(mi, i, obj, place)
    kinds: dict[str, dict[str, dict[str, Any]]] = {
        "cube": {"body": {"type": "cube"}},
        "sphere": {"body": {"type": "sphere"}},
        "cylinder": {
            "body": {"type": "cylinder", "p0": [0, 0, -1], "p1": [0, 0, 1], "radius": 1},
            "top": {"type": "disk"},
        },
    }
    shapes = {}
    for name, part in kinds[obj["shape"]].items():
        to_world = place.translate([0, 0, 1]) if name == "top" else place
        shapes[f"object-{i}-{name}"] = {**part, "to_world": to_world, "bsdf": bsdf}
    return shapes


def _prop(mi: Any, i: int, obj: dict[str, Any], place: Any) -> dict[str, Any]:
    """Return the Mitsuba shapes of an object made of parts."""
    shapes = {}
    for name, part in PROPS[obj["shape"]][obj["form"]].items():
        if part.paint == "text":
            texture = {"type": "bitmap", "bitmap": mi.Bitmap(draw_text(obj["text"])), "raw": True}
            bsdf = {"type": "diffuse", "reflectance": texture}
        else:
            bsdf = _bsdf(obj["material"], obj["accent" if part.paint == "accent" else "color"])
        to_world = place_part(mi.ScalarTransform4f, place, part)
        shape = f"object-{i}-{name}"
        shapes[shape] = build_part(mi, shape, part, to_world, bsdf)
    return shapes


def _bsdf(material: str, name: str) -> dict[str, Any]:
    color = {"type": "rgb", "value": decode_srgb(np.array(COLORS[name])).tolist()}
    if material == "rubber":
        return {"type": "diffuse", "reflectance": color}
    return {
        "type": "roughconductor",
        "material": "none",
        "alpha": METAL_ROUGHNESS,
        "specular_reflectance": color,
    }
