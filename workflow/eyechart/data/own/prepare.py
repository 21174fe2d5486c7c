"""Create the tables of questions and images from the user's own data.

Reads: the receipt ``acquired.json`` and, next to it, ``table.jsonl`` and ``images/``, as written by
:mod:`eyechart.data.own.import_local`.
Writes: ``items.parquet`` (one row per item), ``images.parquet`` (one row per image, with a column
``label/<name>`` per label) and ``regions.parquet`` (the region of each item).

Models answer items with unknown answers, but these are neither scored nor probed.

    python -m eyechart.data.own.prepare --dataset mine \
        --receipt data/raw/mine/acquired.json \
        --settings '{"layout": "table", "splits": ["all"], "test_share": 0.25, "task": "mine"}' \
        --seed 7 \
        --items results/datasets/mine/items.parquet \
        --images results/datasets/mine/images.parquet \
        --regions results/datasets/mine/regions.parquet
"""

import logging
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

from eyechart.core.errors import UserError
from eyechart.core.randomness import dice
from eyechart.core.step import command
from eyechart.data import preparation
from eyechart.data.own import entries as own
from eyechart.data.own.entries import IMAGES, OwnEntry
from eyechart.data.own.questions import Settings, question
from eyechart.data.own.readable import readable
from eyechart.data.preparation import Divide, Row
from eyechart.statistics.components import connected
from eyechart.tables.items import LABEL
from eyechart.tables.regions import OTHER, REF, Region, about_image, box, point, write_regions

log = logging.getLogger(__name__)

Split = Callable[[dict[str, tuple[str, ...]]], Divide]


def group_entries(entries: list[OwnEntry], hashes: dict[str, str]) -> list[str]:
    """Return the group of every row: the group in the table, or its connected component.

    Rows are connected if they share a pair, or an image with the same bytes under any name. A
    component is named after the first of its image ids. ``hashes`` has the SHA-256 of every image
    by its id. Raise a UserError if only some rows have a group, an image or pair is in two groups,
    or a pair has a single row.
    """
    _check_pairs(entries)
    grouped = [entry for entry in entries if entry["group"] is not None]
    if not grouped:
        return _components(entries, hashes)
    owner: dict[tuple[str, str], OwnEntry] = {}
    for entry in entries:
        if entry["group"] is None:
            raise UserError(
                f"{entry['where']}: group is empty, but {grouped[0]['where']} has one; give one to "
                "every row or to none"
            )
        for key in _ties(entry, hashes):
            other = owner.setdefault(key, entry)
            if other["group"] != entry["group"]:
                what = "pair" if key[0] == "pair" else "an image"
                raise UserError(
                    f"{entry['where']}: group is {entry['group']!r}, but it shares {what} with "
                    f"{other['where']} of group {other['group']!r}; such rows must be in the same "
                    "group"
                )
    return [str(entry["group"]) for entry in entries]


def _ties(entry: OwnEntry, hashes: dict[str, str]) -> list[tuple[str, str]]:
    ties = [("image", hashes[name]) for name in entry["images"]]
    return ties if entry["pair"] is None else [*ties, ("pair", entry["pair"])]


def _components(entries: list[OwnEntry], hashes: dict[str, str]) -> list[str]:
    component = connected([_ties(entry, hashes) for entry in entries]).tolist()
    names: dict[int, str] = {}
    for number, entry in zip(component, entries, strict=True):
        names[number] = min(entry["images"][0], names.get(number, entry["images"][0]))
    return [names[number] for number in component]


def _check_pairs(entries: list[OwnEntry]) -> None:
    of_pair: dict[str, list[OwnEntry]] = {}
    for entry in entries:
        if entry["pair"] is not None:
            of_pair.setdefault(entry["pair"], []).append(entry)
    for pair, members in of_pair.items():
        if len(members) == 1:
            raise UserError(
                f"{members[0]['where']}: pair {pair!r} has a single row, expected at least two"
            )


def item_rows(
    entries: list[OwnEntry], settings: Settings, hashes: dict[str, str], split: Split
) -> list[Row]:
    """Return one row per entry, in the same order.

    Raise a UserError if an item_id is duplicated, or if a row lacks a required field or is
    inconsistent.

    Parameters
    ----------
    entries : the rows of ``table.jsonl``
    settings : ``prompt``, ``choices`` and ``task``, if given, override the rows' own; ``answer_as``
        is ``text``, ``letter`` or ``index`` (from 0)
    hashes : SHA-256 of every image by its id; rows that share an image share a group
    split : divides groups, given the stratum of each; see :func:`strata_of`
    """
    groups = group_entries(entries, hashes)
    several = len({settings.get("prompt") or entry["prompt"] for entry in entries}) > 1
    places: dict[str, str] = {}
    rows: list[Row] = []
    for entry, group in zip(entries, groups, strict=True):
        where, name = entry["where"], entry["item_id"]
        if name in places:
            raise UserError(f"{where}: item_id {name!r} is already in {places[name]}")
        places[name] = where
        row = question(entry, settings)
        # the control task needs recurring types, and one prompt for all rows would give a single
        # type
        kind = entry["type"] or (row["prompt"] if several else group)
        rows.append({**row, "group": group, "type": kind})
    divide = split(strata_of(entries, rows))
    return [row | {"group_split": divide(row["group"])} for row in rows]


def split_of(dataset: str, seed: int, test_share: float) -> Split:
    """Return the function that divides groups, given the stratum of each."""
    return partial(preparation.stratified_split, dataset=dataset, seed=seed, test_share=test_share)


def strata_of(entries: list[OwnEntry], rows: list[Row]) -> dict[str, tuple[str, ...]]:
    """Return the stratum of every group: the rarest of its answers and labels, with the task."""
    owned: dict[str, set[tuple[str, ...]]] = {row["group"]: set() for row in rows}
    for entry, row in zip(entries, rows, strict=True):
        if row["choices"] and row["answer"] is not None:
            owned[row["group"]].add(("item", row["task"], row["answer"]))
        labels = entry["labels"].items()
        owned[row["group"]].update(("image", task, label) for task, label in labels if label)
    groups = Counter(label for labels in owned.values() for label in labels)
    return {
        group: min(labels, key=lambda label: (groups[label], label), default=())
        for group, labels in owned.items()
    }


def image_rows(root: Path, entries: list[OwnEntry], items: list[Row]) -> list[Row]:
    """Return one row per image, without its hash and size, with a label per image task.

    Its type is the type of the rows that show it if they agree, otherwise its group. Raise a
    UserError if an image is in two splits or has two different labels for a task, or if a row with
    several images has a label.
    """
    rows: dict[str, Row] = {}
    first: dict[str, str] = {}
    for entry, item in zip(entries, items, strict=True):
        for name in entry["images"]:
            where = first.setdefault(name, entry["where"])
            row = rows.setdefault(
                name,
                {
                    "image_id": name,
                    "split": item["split"],
                    "group_split": item["group_split"],
                    "group": item["group"],
                    "path": (root / IMAGES / name).as_posix(),
                    "type": entry["type"] or item["group"],
                },
            )
            if row["split"] != item["split"]:
                raise UserError(
                    f"{entry['where']}: image {name!r} is in split {item['split']!r}, but in "
                    f"{row['split']!r} in {where}; an image belongs to one split"
                )
            if entry["type"] != row["type"]:
                row["type"] = item["group"]
        _label(entry, rows, first)
    return list(rows.values())


def _label(entry: OwnEntry, rows: dict[str, Row], first: dict[str, str]) -> None:
    for task, label in entry["labels"].items():
        for name in entry["images"]:
            rows[name].setdefault(LABEL + task, None)
        if label is None:
            continue
        if len(entry["images"]) > 1:
            raise UserError(
                f"{entry['where']}: has {len(entry['images'])} images and the label {task!r}, "
                "but a label belongs to one image"
            )
        (name,) = entry["images"]
        known = rows[name][LABEL + task]
        if known not in (None, label):
            raise UserError(
                f"{entry['where']}: label {task!r} of image {name!r} is {label!r}, but "
                f"{known!r} in an earlier row (first occurrence: {first[name]})"
            )
        rows[name][LABEL + task] = label


def region_rows(entries: list[OwnEntry], images: list[Row], *seeds: str | int) -> list[Row]:
    """Return the rows of the items' regions, on the first image of each item.

    The other object of an item is the region of another row with the same image, drawn with the
    seeds, or a far corner. Raise a UserError for a region that is not on its image.
    """
    sizes = {row["image_id"]: (row["width"], row["height"]) for row in images}
    about: dict[str, list[tuple[float, ...]]] = {}
    given = [(e, edges) for e in entries if (edges := tuple(e.get("region") or ()))]
    for entry, edges in given:
        about.setdefault(entry["images"][0], []).append(edges)
    rows = []
    for entry, edges in given:
        image, own = entry["images"][0], _region(REF, edges)
        own.check(entry["where"], image, sizes[image])
        others = sorted(set(about[image]) - {edges})
        drawn = dice("other object", *seeds, entry["item_id"])
        other = [_region(OTHER, drawn.choice(others))] if others else own.elsewhere(*sizes[image])
        rows += about_image(entry["item_id"], image, [own, *other])
    return rows


def _region(name: str, edges: tuple[float, ...]) -> Region:
    return point(name, *edges) if len(edges) == 2 else box(name, *edges)


@command
def main(args: preparation.WithRegions) -> None:
    """Write the tables."""
    receipt, root = preparation.open_receipt(args, args.settings["layout"])
    taken = own.read_entries(root)
    wanted = [entry for entry in taken if entry["split"] in args.settings["splits"]]
    allow_missing = bool(args.settings.get("allow_missing"))
    entries, facts = readable(root, wanted, receipt, allow_missing)
    hashes = {name: record.sha256 for name, record in facts.items()}
    split = split_of(args.dataset, args.seed, args.settings["test_share"])
    items = item_rows(entries, args.settings, hashes, split)
    images = image_rows(root, entries, items)
    for row in images:
        row.update(vars(facts[row["image_id"]]))
    labels = list(entries[0]["labels"]) if entries else []
    preparation.write_tables(args, [preparation.as_items(items)], images, labels)
    write_regions(args.regions, region_rows(entries, images, args.dataset, args.seed))
    unknown = sum(item["answer"] is None for item in items)
    log.info("%d items, of which %d have no answer and are not scored", len(items), unknown)


if __name__ == "__main__":
    main()
