"""The bodies of things: exact shapes, and the triangle meshes block, ball, drum, cone, arc, wedge.

Every mesh fills -1..1 along each axis before scaling. Texture coordinates are roughly proportional
to the surface: one texture unit is four to six units of length, and the faces of a block do not
share coordinates.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

SIDES, RINGS = 24, 12
EXACT: dict[str, dict[str, Any]] = {  # shapes that are built into the renderer
    "cube": {"type": "cube"},
    "sphere": {"type": "sphere"},
    "tube": {"type": "cylinder", "p0": [0, 0, -1], "p1": [0, 0, 1], "radius": 1},
    "disk": {"type": "disk"},
    "rectangle": {"type": "rectangle"},
}
# Corners and faces of a wedge: a triangle that points to +x, with z in -1..1
WEDGE = [[-1, -1, -1], [-1, 1, -1], [1, 0, -1], [-1, -1, 1], [-1, 1, 1], [1, 0, 1]]
WEDGE_FACES = [[0, 1, 2], [3, 5, 4], [0, 3, 4], [0, 4, 1], [0, 2, 5], [0, 5, 3], [1, 4, 5],
               [1, 5, 2]]  # fmt: skip
# Texture offsets of the six faces of a block, each half a unit wide
CORNERS = ((0.0, 0.0), (0.5, 0.0), (0.0, 0.5), (0.5, 0.5), (0.25, 0.25), (0.75, 0.25))


@dataclass(frozen=True)
class Mesh:
    """Triangles: ``vertices`` (v, 3), ``faces`` int (f, 3), ``normals`` (v, 3), ``texture`` (v, 2).

    With empty normals and texture, each face is flat.
    """

    vertices: np.ndarray
    normals: np.ndarray
    texture: np.ndarray
    faces: np.ndarray


def body(kind: str, shape: float) -> Mesh:
    """Return a body in its object frame.

    ``kind``: ``block``, ``ball``, ``drum``, ``cone`` (``shape``: upper radius), ``arc`` (half a
    ring open to -x; ``shape``: radius of its rod) or ``wedge``.
    """
    if kind == "wedge":
        return Mesh(np.array(WEDGE), np.empty((0, 3)), np.empty((0, 2)), np.array(WEDGE_FACES))
    if kind == "block":
        return _block()
    if kind == "arc":
        return _arc(shape)
    if kind == "ball":
        angle = np.linspace(-np.pi / 2, np.pi / 2, RINGS + 1)
        around = np.stack([np.cos(angle), np.sin(angle)], axis=1)  # radius, height
        return _turned([(around[i], around[i + 1], around[i], around[i + 1]) for i in range(RINGS)])
    upper = {"drum": 1.0, "cone": shape}[kind]
    low, high = np.array([1.0, -1.0]), np.array([upper, 1.0])
    slope = np.array([2.0, 1.0 - upper]) / np.hypot(2.0, 1.0 - upper)
    up, down = np.array([0.0, 1.0]), np.array([0.0, -1.0])
    strips = [(np.array([0.0, -1.0]), low, down, down), (low, high, slope, slope)]
    return _turned([*strips, (high, np.array([0.0, 1.0]), up, up)])


def moved(mesh: Mesh, matrix: np.ndarray) -> Mesh:
    """Return a mesh transformed by a 4 x 4 matrix without reflection."""
    vertices = mesh.vertices @ matrix[:3, :3].T + matrix[:3, 3]
    normals = mesh.normals @ np.linalg.inv(matrix[:3, :3])
    normals = normals / np.linalg.norm(normals, axis=1, keepdims=True)
    return Mesh(vertices, normals, mesh.texture, mesh.faces)


def _grid(rows: int, columns: int) -> np.ndarray:
    """Return the triangles (2 (rows - 1) (columns - 1), 3) of a grid of vertices, row by row."""
    first = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    one = np.stack([first, first + 1, first + columns + 1], axis=1)
    other = np.stack([first, first + columns + 1, first + columns], axis=1)
    return np.concatenate([one, other])


Strip = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # two ends and their normals


def _turned(strips: list[Strip]) -> Mesh:
    """Rotate strips of a profile (radius, height) about z, from bottom to top."""
    angle = np.linspace(0, 2 * np.pi, SIDES + 1)
    circle = np.stack([np.cos(angle), np.sin(angle), np.ones_like(angle)], axis=1)  # (s, 3)
    meshes, length = [], 0.0
    for low, high, *slopes in strips:
        ends = length, length + float(np.linalg.norm(high - low))
        vertices, normals = (
            np.concatenate([circle * point[[0, 0, 1]] for point in points])
            for points in ((low, high), slopes)
        )
        texture = [
            np.stack([angle / (2 * np.pi), np.full_like(angle, e / 6)], axis=1) for e in ends
        ]
        meshes.append(Mesh(vertices, normals, np.concatenate(texture), _grid(2, len(angle))))
        length = ends[1]
    return _joined(meshes)


def _arc(rod: float) -> Mesh:
    """Sweep a circle along half a ring in the xz plane, from its lower to its upper end."""
    along = np.linspace(-np.pi / 2, np.pi / 2, SIDES // 2 + 1)
    around = np.linspace(0, 2 * np.pi, RINGS + 1)
    outward = np.stack([np.cos(along), np.zeros_like(along), np.sin(along)], axis=1)
    cosine, sine = (f(around)[None, :, None] for f in (np.cos, np.sin))
    normals = cosine * outward[:, None, :] + sine * np.array([0.0, 1.0, 0.0])  # (a, r, 3)
    vertices = (1 - rod) * outward[:, None, :] + rod * normals
    grid = np.meshgrid(along / np.pi, around / (2 * np.pi), indexing="ij")
    faces = _grid(len(along), len(around))
    texture = np.stack(grid, axis=-1).reshape(-1, 2)
    swept = Mesh(vertices.reshape(-1, 3), normals.reshape(-1, 3), texture, faces)
    return _joined([swept, *(_lid(ring) for ring in (vertices[0], vertices[-1]))])


def _lid(ring: np.ndarray) -> Mesh:
    """Return the cap of an arc's end, a ring of vertices (r, 3), facing -x."""
    corners = np.concatenate([ring.mean(axis=0, keepdims=True), ring])
    step = np.arange(1, len(ring))
    faces = np.stack([np.zeros_like(step), step, step + 1], axis=1)
    first = np.cross(*(corners[faces[0, 1:]] - corners[0]))
    if first[0] > 0:
        faces = faces[:, ::-1]
    normals = np.tile([-1.0, 0.0, 0.0], (len(corners), 1))
    return Mesh(corners, normals, corners[:, 1:] / 2, faces)


def _joined(meshes: list[Mesh]) -> Mesh:
    starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
    faces = [mesh.faces + start for mesh, start in zip(meshes, starts, strict=False)]
    vertices, normals, texture = (
        np.concatenate([getattr(mesh, name) for mesh in meshes])
        for name in ("vertices", "normals", "texture")
    )
    return Mesh(vertices, normals, texture, np.concatenate(faces))


def _block() -> Mesh:
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], dtype=float)
    meshes = []
    for n, (axis, sign) in enumerate((a, s) for a in range(3) for s in (1.0, -1.0)):
        corner = np.full((4, 3), sign)
        corner[:, (axis + 1) % 3], corner[:, (axis + 2) % 3] = square[:, 0] * sign, square[:, 1]
        normals = np.tile(np.eye(3)[axis] * sign, (4, 1))
        faces = np.array([[0, 1, 2], [0, 2, 3]])
        meshes.append(Mesh(corner, normals, (square + 1) / 4 + CORNERS[n], faces))
    return _joined(meshes)
