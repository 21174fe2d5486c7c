"""Which rows of the user's own data show images that can be read."""

import logging
from pathlib import Path

from eyechart.core.errors import UserError
from eyechart.data.open_image import ImageRecord, check_images
from eyechart.data.own.entries import IMAGES, OwnEntry
from eyechart.tables.receipt import Receipt

log = logging.getLogger(__name__)
_SHOWN = 5  # images named in the log


def readable(
    root: Path, entries: list[OwnEntry], receipt: Receipt, allow_missing: bool
) -> tuple[list[OwnEntry], dict[str, ImageRecord]]:
    """Return the rows whose images can all be read, and hash and size of every such image.

    With ``allow_missing``, rows with an image that is missing or cannot be read are left out,
    counted and named in the log, and so is the other row of a pair; else they are a UserError, and
    so is an image that was altered, or if no row remains.
    """
    called: dict[str, str] = {}  # by the first row that shows the image
    for entry in entries:
        for name in entry["images"]:
            called.setdefault(f"{IMAGES}/{name}", _called(entry, name))
    expected = {entry["path"]: entry["sha256"] for entry in receipt["files"]}
    faults: dict[str, str] | None = {} if allow_missing else None
    found = check_images(root, called, expected, called, faults)
    facts = {path.removeprefix(f"{IMAGES}/"): record for path, record in found.items()}
    lost = [e for e in entries if not facts.keys() >= set(e["images"])]
    pairs = {e["pair"] for e in lost} - {None}
    kept = [e for e in entries if e not in lost and e["pair"] not in pairs]
    if faults:
        told = list(faults.values())
        sentence = (
            f"{len(told)} images are missing or cannot be read, so {len(entries) - len(kept)} of "
            f"{len(entries)} rows are left out: {'; '.join(told[:_SHOWN])}"
            f"{'; …' if len(told) > _SHOWN else ''}"
        )
        if not kept:
            raise UserError(f"{root.name}: {sentence}")
        log.warning("%s", sentence)
    return kept, {name: facts[name] for e in kept for name in e["images"]}


def _called(entry: OwnEntry, name: str) -> str:
    """Return what the user calls an image: its row and its path, or its path alone in a folder."""
    where = entry["where"]
    return where if where.endswith(name) else f"{where}: image {name!r}"
