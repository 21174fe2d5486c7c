"""Group the user's rows, so that rows that share an image are never split."""

from eyechart.core.errors import UserError
from eyechart.data.own.entries import OwnEntry
from eyechart.statistics.components import connected


def group_entries(entries: list[OwnEntry], hashes: dict[str, str]) -> list[str]:
    """Return the group of every row: the table's own, or its connected component.

    Rows are connected if they share an image with the same bytes, whatever its name, or a pair. A
    component is named by the first of its image ids.

    Parameters
    ----------
    entries : list
        All rows of the dataset.
    hashes : dict
        SHA-256 of every image by its id.

    Raises
    ------
    UserError
        If only some rows have a group, an image or pair is in two groups, or a pair has a single
        row.
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
                    f"{other['where']} of group {other['group']!r}; rows that share one "
                    "must be in one group"
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
