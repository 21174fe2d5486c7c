"""Find the shards of each split of a Hugging Face dataset on disk.

Supported are ``data/<split>-00000-of-00002.parquet``, with or without the folder, the number or a
hash after it; ``<split>/0000.parquet``; and folders written by ``save_to_disk``, with
``dataset_dict.json`` or ``state.json``, whose shards are ``data-*.arrow``.
"""

import re
from pathlib import Path

from eyechart.core.errors import UserError
from eyechart.core.files import read_json

_SHARD = re.compile(r"(?P<split>.+?)(-(?P<number>\d{5})-of-(?P<count>\d{5})(-\w+)?)?\.parquet")


def find_shards(path: Path) -> dict[str, list[Path]]:
    """Return the files of each split, in order; a dataset without splits has the split ``""``.

    Raises
    ------
    UserError
        If there are no shards, a numbered shard is missing, or a saved dataset was filtered without
        being flattened.
    """
    if (path / "dataset_dict.json").exists():
        splits = read_json(path / "dataset_dict.json")["splits"]
        return {split: _saved(path / split)[1] for split in splits}
    if (path / "state.json").exists():
        split, shards = _saved(path)
        return {split: shards}
    for folder in (path / "data", path):
        found = _named(folder) or _in_folders(folder)
        if found:
            return found
    below = sorted({p.parent.relative_to(path).as_posix() for p in path.rglob("*.parquet")})
    hint = f"; found in {', '.join(below)}: give one of these as path" if below else ""
    raise UserError(
        f"{path}: no Parquet files (<split>-*.parquet, here or in data/) and no saved dataset "
        f"(state.json){hint}"
    )


def _named(folder: Path) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    counts: dict[str, int] = {}
    for file in sorted(folder.glob("*.parquet")):
        match = _SHARD.fullmatch(file.name)
        assert match  # the pattern matches any name with this suffix
        found.setdefault(match["split"], []).append(file)
        counts[match["split"]] = int(match["count"] or 1)
    for split, files in found.items():
        if len(files) != counts[split]:
            raise UserError(
                f"{folder}: split {split!r} has {len(files)} of {counts[split]} shards; download "
                "the dataset again"
            )
    return found


def _in_folders(folder: Path) -> dict[str, list[Path]]:
    shards = {sub.name: sorted(sub.glob("[0-9]*.parquet")) for sub in sorted(folder.glob("*/"))}
    return {split: files for split, files in shards.items() if files}


def _saved(folder: Path) -> tuple[str, list[Path]]:
    state = read_json(folder / "state.json")
    if state.get("_indices_data_files"):
        raise UserError(
            f"{folder}: saved with a selection of rows beside it; call flatten_indices() and save "
            "it again"
        )
    return state.get("_split") or "", [folder / file["filename"] for file in state["_data_files"]]
