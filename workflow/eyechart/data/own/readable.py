"""The rows of the user's own data with readable images."""

import logging
from collections.abc import Container
from pathlib import Path

from eyechart.core.errors import UserError
from eyechart.data.open_image import ImageRecord, check_images
from eyechart.data.own.entries import IMAGES, OwnEntry
from eyechart.tables.receipt import Receipt

log = logging.getLogger(__name__)
_SHOWN = 5  # maximum number of images named in the log


def readable(
    root: Path, entries: list[OwnEntry], receipt: Receipt, allow_missing: bool
) -> tuple[list[OwnEntry], dict[str, ImageRecord]]:
    """Return the rows whose images are all readable, and the hash and size of each such image.

    With ``allow_missing``, rows with a missing or unreadable image, and the other row of their
    pair, are omitted, counted and named in the log. Otherwise such rows raise a UserError. An
    altered image always does, and so does a table without remaining rows.
    """
    called: dict[str, str] = {}  # named after the first row that shows the image
    for entry in entries:
        for name in entry["images"]:
            called.setdefault(f"{IMAGES}/{name}", _called(entry, name))
    expected = {entry["path"]: entry["sha256"] for entry in receipt["files"]}
    faults: dict[str, str] | None = {} if allow_missing else None
    found = check_images(root, called, expected, called, faults)
    facts = {path.removeprefix(f"{IMAGES}/"): record for path, record in found.items()}
    kept = complete(entries, facts)
    if faults:
        told = list(faults.values())
        sentence = (
            f"{len(told)} images are missing or cannot be read, so {len(entries) - len(kept)} of "
            f"{len(entries)} rows are omitted: {'; '.join(told[:_SHOWN])}"
            f"{'; …' if len(told) > _SHOWN else ''}"
        )
        if not kept:
            raise UserError(f"{root.name}: {sentence}")
        log.warning("%s", sentence)
    return kept, {name: facts[name] for e in kept for name in e["images"]}


def complete(entries: list[OwnEntry], there: Container[str]) -> list[OwnEntry]:
    """Return the rows whose images, and the images of the other row of their pair, all exist."""
    lost = [not all(name in there for name in e["images"]) for e in entries]
    pairs = {e["pair"] for e, without in zip(entries, lost, strict=True) if without} - {None}
    both = zip(entries, lost, strict=True)
    return [e for e, without in both if not without and e["pair"] not in pairs]


def _called(entry: OwnEntry, name: str) -> str:
    """Return the user's name for an image: its row and path or, in a folder, its path alone."""
    where = entry["where"]
    return where if where.endswith(name) else f"{where}: image {name!r}"
