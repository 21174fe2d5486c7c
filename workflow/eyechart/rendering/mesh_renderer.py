"""Ray-trace one scene from any camera: images and their ground truth."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from eyechart.rendering.renderer import PATH_DEPTH, encode_srgb, mitsuba
from eyechart.rendering.scene.cameras import Camera
from eyechart.rendering.scene.materials import Surface, bsdf
from eyechart.rendering.scene.meshes import Mesh
from eyechart.rendering.scene.objects import Light, Scene, part_of

FLAT = 1e-3  # world units: tolerance of floor hits around z = 0
FLOOR_REPEATS, FLOOR_UNIT = 16, 5.0  # floor texture repeats; world units per texture unit


@dataclass(frozen=True)
class ViewGeometry:
    """Ground truth of every pixel of a view, from one ray through a point of the pixel.

    Attributes
    ----------
    position : float64 (h, w, 3), the point hit by the ray, in world units
    depth : float32 (h, w), distance along the camera's axis; 0 where nothing is hit
    thing : uint8 (h, w), i + 1 for thing i, 0 for floor and background
    part : uint8 (h, w), i + 1 for ``names[i]``, 0 for floor and background
    names : (index of the thing, name of the part) of every part
    camera : camera of the view
    """

    position: np.ndarray
    depth: np.ndarray
    thing: np.ndarray
    part: np.ndarray
    names: tuple[tuple[int, str], ...]
    camera: Camera

    @property
    def shows_lamp(self) -> bool:
        """Whether a lamp is visible: a hit that belongs to no thing and not to the floor."""
        other = (self.thing == 0) & (self.depth > 0)
        return bool((other & (np.abs(self.position[..., 2]) > FLAT)).any())

    @property
    def image_px(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.depth.shape[1], self.depth.shape[0]


class MeshRenderer:
    """Renderer of one scene, loaded once for all its views.

    Parameters
    ----------
    scene : Scene
    image_px : [width, height]
    """

    def __init__(self, scene: Scene, image_px: list[int]) -> None:
        self._mi, self._image_px = mitsuba(), image_px
        names = {(n, part_of(b)): None for n, t in enumerate(scene.things) for b in t.solids}
        self.names = tuple(names)
        loaded = _surroundings(self._mi, scene)
        for n, thing in enumerate(scene.things):
            for name, mesh, surface in thing.meshes():
                # Mitsuba reads a dot as a path within the scene
                shape = f"part-{n}-{self.names.index((n, part_of(name)))}-{len(loaded)}"
                loaded[shape] = _mesh(self._mi, shape, mesh, surface)
        # optimizing orders shapes by memory address
        self._scene = self._mi.load_dict(loaded, optimize=False)

    def trace(self, camera: Camera) -> ViewGeometry:
        """Trace one ray per pixel; return what it hits."""
        mi = self._mi
        aov = mi.load_dict({"type": "aov", "aovs": "at:position,index:shape_index"})
        rendered = mi.render(
            self._scene, sensor=self._sensor(camera), integrator=aov, spp=1, seed=0
        )
        layers = np.array(rendered, dtype=np.float64)
        index = layers[..., 3].round().astype(int)  # from 1 in scene order; 0 is no shape
        owners = [(0, 0)] + [_owner(shape.id()) for shape in self._scene.shapes()]
        thing, part = np.array(owners, dtype=np.uint8).T
        forward = camera.axes()[2]
        depth = (layers[..., :3] - camera.position) @ forward
        depth = np.where(index > 0, depth, 0).astype(np.float32)
        return ViewGeometry(layers[..., :3], depth, thing[index], part[index], self.names, camera)

    def render(self, camera: Camera, samples: int, seed: int) -> np.ndarray:
        """Render the image of a camera: sRGB, uint8 (h, w, 3)."""
        mi = self._mi
        path = mi.load_dict({"type": "path", "max_depth": PATH_DEPTH})
        linear = mi.render(
            self._scene, sensor=self._sensor(camera), integrator=path, spp=samples,
            seed=seed % 2**32,
        )  # fmt: skip
        return encode_srgb(np.array(linear)[..., :3])

    def _sensor(self, camera: Camera) -> Any:
        film = {
            "type": "hdrfilm",
            "width": self._image_px[0],
            "height": self._image_px[1],
            "pixel_format": "rgb",
            "rfilter": {"type": "box"},
        }
        view = self._mi.ScalarTransform4f().look_at(
            origin=list(camera.position), target=list(camera.target), up=camera.axes()[1].tolist()
        )
        return self._mi.load_dict(
            {
                "type": "perspective",
                "fov": camera.fov,
                "fov_axis": "x",
                "to_world": view,
                "film": film,
                "sampler": {"type": "independent"},
            }
        )


def _owner(shape_id: str) -> tuple[int, int]:
    """Return the indices, plus one, of the thing and part that a shape belongs to."""
    if not shape_id.startswith("part-"):
        return 0, 0
    _, thing, part, _ = shape_id.split("-")
    return int(thing) + 1, int(part) + 1


def _surroundings(mi: Any, scene: Scene) -> dict[str, Any]:
    transform = mi.ScalarTransform4f
    size = FLOOR_REPEATS * FLOOR_UNIT / 2
    paint = bsdf(mi, scene.floor, FLOOR_REPEATS)
    loaded: dict[str, Any] = {
        "type": "scene",
        "sky": {"type": "constant", "radiance": {"type": "rgb", "value": list(scene.sky)}},
        "floor": {
            "type": "rectangle",
            "to_world": transform().scale([size, size, 1]),
            "bsdf": paint,
        },
    }
    for n, light in enumerate(scene.lights):
        loaded[f"light-{n}"] = _lamp(transform, light)
    return loaded


def _lamp(transform: Any, light: Light) -> dict[str, Any]:
    place = transform().look_at(origin=list(light.position), target=[0, 0, 0], up=[0, 0, 1])
    return {
        "type": "rectangle",
        "to_world": place @ transform().scale([light.scale] * 3),
        "emitter": {"type": "area", "radiance": {"type": "rgb", "value": list(light.radiance)}},
    }


def _mesh(mi: Any, name: str, mesh: Mesh, surface: Surface) -> Any:
    given = mi.Properties()
    given["bsdf"] = mi.load_dict(bsdf(mi, surface))
    loaded = mi.Mesh(
        name, len(mesh.vertices), len(mesh.faces), props=given,
        has_vertex_normals=True, has_vertex_texcoords=True,
    )  # fmt: skip
    values = mi.traverse(loaded)
    values["vertex_positions"] = mesh.vertices.astype(np.float32).ravel()
    values["vertex_normals"] = mesh.normals.astype(np.float32).ravel()
    values["vertex_texcoords"] = mesh.texture.astype(np.float32).ravel()
    values["faces"] = mesh.faces.astype(np.uint32).ravel()
    values.update()
    return loaded
