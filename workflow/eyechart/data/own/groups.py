"""Groups of one's own rows: what shares a picture must not be parted between train and test."""

from eyechart.core.errors import UserError
from eyechart.data.own.entries import OwnEntry
from eyechart.statistics.components import connected


def group_entries(entries: list[OwnEntry], hashes: dict[str, str]) -> list[str]:
    """Give the group of every row: the table's own, or the rows that hang together.

    Rows hang together that show a picture of the same bytes, whatever its name, or are of one
    pair; such a group is called by the first of its pictures' ids.

    Parameters
    ----------
    entries : list
        All rows of the dataset.
    hashes : dict
        SHA-256 of every picture by its id.

    Raises
    ------
    UserError
        If some rows have a group and others none, a picture or a pair stands in two groups, or a
        pair is of a single row.
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
                what = "pair" if key[0] == "pair" else "a picture"
                raise UserError(
                    f"{entry['where']}: group is {entry['group']!r}, but it shares {what} with "
                    f"{other['where']} of group {other['group']!r}; what shares one belongs to one "
                    "group"
                )
    return [str(entry["group"]) for entry in entries]


def _ties(entry: OwnEntry, hashes: dict[str, str]) -> list[tuple[str, str]]:
    ties = [("picture", hashes[name]) for name in entry["images"]]
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
