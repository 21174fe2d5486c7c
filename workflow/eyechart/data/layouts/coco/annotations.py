"""COCO's annotations of one split, checked and indexed by image with pycocotools."""

import contextlib
import io
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pycocotools.coco import COCO

from eyechart.core.errors import UserError
from eyechart.data.layouts.base import require, require_inside
from eyechart.data.layouts.coco import layout
from eyechart.data.layouts.coco.tasks import slug

Row = dict[str, Any]
_SHOWN = 5  # maximum number of missing images named in an error; the log lists all
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Annotations:
    """Annotations of one split."""

    images: dict[int, Row]  # existing images (``path``, ``width``, ``height``) by id, sorted
    categories: list[str]  # names, in the order of their ids
    # objects, captions: annotations by image, in the order of their ids; an image may have none. An
    # object's ``category`` is the index of its category in the list
    objects: dict[int, list[Row]]
    captions: dict[int, list[str]]


def read_split(root: Path, split: str, acquired: set[str], allow_missing: bool) -> Annotations:
    """Read the objects and captions of a split.

    There are no captions if they were not acquired. Raise a UserError if a file is missing or
    broken, a field is missing, an id is duplicated, a category is unknown, or images are missing
    without ``allow_missing``.

    Parameters
    ----------
    root, split : the dataset's folder, and the name of the split
    acquired : paths from ``root`` that the receipt lists
    allow_missing : whether annotations may name missing images, which are then omitted
    """
    things = _load(root, layout.instances(split), split)
    _check_objects(things, root / layout.instances(split))
    for image in things["images"]:
        image["path"] = layout.image_path(split, image["file_name"], acquired)
    texts: Row = {"images": [], "annotations": []}
    if layout.captions(split) in acquired:
        texts = _load(root, layout.captions(split), split)
        _check_captions(texts, root / layout.captions(split))
    objects, captions = _index(things), _index(texts)
    absent = _absent([objects, captions], acquired)
    _report(root / layout.instances(split), absent, allow_missing)
    ids = [i for i in sorted(objects.imgs) if objects.imgs[i]["path"] not in absent]
    if not ids:
        raise UserError(f"{root / split}: contains none of the annotated images")
    places = {category: place for place, category in enumerate(sorted(objects.cats))}
    for thing in objects.anns.values():
        thing["category"] = places[thing["category_id"]]
    return Annotations(
        images={i: objects.imgs[i] for i in ids},
        categories=[str(objects.cats[category]["name"]) for category in places],
        objects={i: _sorted(objects, i) for i in ids},
        captions={i: _texts(_sorted(captions, i)) for i in ids},
    )


def _load(root: Path, name: str, split: str) -> Row:
    found = layout.read_annotations(root, name, split, layout.leave_out_outlines)
    path = root / name
    _check_rows(found, "images", ("id", "file_name", "width", "height"), path)
    files: set[str] = set()
    for index, image in enumerate(found["images"]):
        where, file = f"{path}: images[{index}]", image["file_name"]
        require_inside(file, "file_name", where)
        if file in files:
            raise UserError(f"{where}: file_name {file!r} occurs twice")
        files.add(file)
    return found


def _index(dataset: Row) -> COCO:
    coco = COCO()
    coco.dataset = dataset
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its progress
        coco.createIndex()
    return coco


def _check_objects(found: Row, path: Path) -> None:
    _check_rows(found, "categories", ("id", "name"), path)
    names = {category["id"]: str(category["name"]) for category in found["categories"]}
    by_slug: dict[str, str] = {}
    for name in names.values():
        other = by_slug.setdefault(slug(name), name)
        if not slug(name) or other != name:
            raise UserError(
                f"{path}: category {name!r} makes the task 'has_{slug(name)}', which is empty or "
                f"also the task of {other!r}; rename it with Latin letters"
            )
    fields = ("id", "image_id", "category_id", "bbox", "area", "iscrowd")
    _check_rows(found, "annotations", fields, path)
    for index, thing in enumerate(found["annotations"]):
        where = f"{path}: annotations[{index}]"
        if thing["category_id"] not in names:
            raise UserError(
                f"{where}: category_id is {thing['category_id']!r}, which is not a category"
            )
        box = thing["bbox"]
        if not (isinstance(box, list) and len(box) == 4 and all(map(_is_number, box))):
            raise UserError(f"{where}: bbox is {box!r}, expected left, top, width, height in px")
        if not _is_number(thing["area"]) or thing["iscrowd"] not in (0, 1):
            raise UserError(
                f"{where}: area is {thing['area']!r} and iscrowd {thing['iscrowd']!r}, expected a "
                "number of px, and 0 or 1"
            )


def _check_captions(found: Row, path: Path) -> None:
    _check_rows(found, "annotations", ("id", "image_id", "caption"), path)
    for index, entry in enumerate(found["annotations"]):
        if not isinstance(entry["caption"], str):
            where = f"{path}: annotations[{index}]"
            raise UserError(f"{where}: caption is {entry['caption']!r}, expected text")


def _check_rows(found: Row, key: str, fields: tuple[str, ...], path: Path) -> None:
    """Check that every row of a list has its fields and a unique id."""
    require(found, (key,), str(path))
    if not isinstance(found[key], list):
        raise UserError(f"{path}: {key} is {str(found[key])[:40]!r}, expected a list")
    seen: set[int] = set()
    for index, row in enumerate(found[key]):
        require(row, fields, f"{path}: {key}[{index}]")
        for field in {"id", "image_id"} & set(fields):
            if not isinstance(row[field], int):
                where = f"{path}: {key}[{index}]"
                raise UserError(f"{where}: {field} is {row[field]!r}, expected a whole number")
        if row["id"] in seen:
            raise UserError(f"{path}: {key}[{index}]: id {row['id']} occurs twice")
        seen.add(row["id"])


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _absent(sources: list[COCO], acquired: set[str]) -> dict[str, int]:
    """Return the missing images by name, with the number of annotations that name each."""
    paths = {image: row["path"] for image, row in sources[0].imgs.items()}
    absent = {path: 0 for path in paths.values() if path not in acquired}
    for source in sources:
        for image, annotations in source.imgToAnns.items():
            name = paths.get(image, f"image_id {image}")
            if image not in paths or name in absent:
                absent[name] = absent.get(name, 0) + len(annotations)
    return absent


def _report(path: Path, absent: dict[str, int], allowed: bool) -> None:
    if not absent:
        return
    names = sorted(absent)
    sentence = (
        f"{path}: {len(names)} of the images named here or in the captions are missing, with "
        f"{sum(absent.values())} annotations"
    )
    _log.warning("%s: %s", sentence, ", ".join(names))
    if not allowed:
        more = ", …" if len(names) > _SHOWN else ""
        raise UserError(
            f"{sentence}, first {', '.join(names[:_SHOWN])}{more}; restore them and acquire the "
            "dataset again, or set allow_missing: true to leave them out"
        )


def _sorted(coco: COCO, image: int) -> list[Row]:
    return sorted(coco.imgToAnns.get(image, ()), key=lambda row: row["id"])


def _texts(rows: list[Row]) -> list[str]:
    texts = [" ".join(row["caption"].split()) for row in rows]
    return [text for text in texts if text]
