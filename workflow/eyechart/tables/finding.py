"""The files of finished results by kind and name, and one sentence where there is none."""

import re
from pathlib import Path

import polars as pl

from eyechart.errors import UserError, nearest
from eyechart.tables.parquet import read_table

Root = str | Path
Named = dict[str, str | None]
PATTERNS = {
    "items": "<results>/datasets/{dataset}/items.parquet",
    "images": "<results>/datasets/{dataset}/images.parquet",
    "regions": "<results>/datasets/{dataset}/regions.parquet",
    "curves": "<results>/training/{stage}/curve.parquet",
    "shipped curves": "data/weights/{model}/{stage}.curve.parquet",
    "activation parts": "<results>/activations/{model}/{dataset}/{scope}/part-{part}.parquet",
    "activations": "<results>/activations/{model}/{dataset}/{scope}/manifest.json",
    "probes": "<results>/probes/{model}/{dataset}/{task}.parquet",
    "probe predictions": "<results>/probes/{model}/{dataset}/{task}.predictions.parquet",
    "responses": "<results>/answers/{model}/{dataset}/{condition}.parquet",
    "scores": "<results>/scores/{model}/{dataset}.parquet",
    "distributions": "<results>/scores/{model}/{dataset}.distributions.parquet",
    "retrieval": "<results>/retrieval/{model}/{dataset}.parquet",
    "patterns": "<results>/mmvp/{table}.parquet",
    "patterns of a model": "<results>/mmvp/{model}/{table}.parquet",
    "pairs": "<results>/mining/{first}_against_{second}/{dataset}/pairs.parquet",
    "readouts": "<results>/readouts/{model}/{dataset}.parquet",
    "readout predictions": "<results>/readouts/{model}/{dataset}.predictions.parquet",
    "concepts": "<results>/concepts/{model}/{dataset}/{table}.parquet",
    "attention": "<results>/attention/{model}/{dataset}/{table}.parquet",
    "verdict values": "<results>/verdict/{model}.parquet",
    "verdict classes": "<results>/verdict/{model}.classes.parquet",
    "verdict differences": "<results>/verdict/{model}.differences.parquet",
}


def read_all(kind: str, named: Named, root: Root) -> pl.DataFrame:
    """Return all tables of a kind that have the names asked for, with a column for each name."""
    frames = []
    for path, names in find(kind, named, root).items():
        frame = pl.DataFrame(read_table(path))
        own = {n: v for n, v in names.items() if n not in frame.columns and n != "table"}
        first = [pl.lit(value).alias(name) for name, value in own.items()]
        frames.append(frame.select(*first, pl.all()))
    return pl.concat(frames, how="vertical_relaxed")


def find_one(kind: str, named: Named, root: Root) -> Path:
    """Return the file of a kind with these names; that there is none is an error."""
    (path,) = find(kind, named, root)
    return path


def find(kind: str, named: Named, root: Root) -> dict[Path, dict[str, str]]:
    """Return the files of a kind that have the names asked for, with all names of each.

    Raises
    ------
    UserError
        If there is none.
    """
    inner = PATTERNS[kind].removeprefix("<results>/")
    given = {name: named.get(name) for name in re.findall(r"\{(\w+)\}", inner)}
    regex = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/.]+)", re.escape(inner))  # no name has a dot
    found = {}
    for path in sorted(Path(root).glob(re.sub(r"\{\w+\}", "*", inner))):
        if match := re.fullmatch(regex, path.relative_to(root).as_posix()):
            found[path] = match.groupdict()
    target = f"{Path(root).as_posix()}/{inner}"
    if not found:
        raise _missing(kind, target, given, f"there are none in {root}")
    for name, value in given.items():
        if value is not None:
            known = {of[name] for of in found.values()}
            found = {path: of for path, of in found.items() if of[name] == value}
            if not found:
                raise _missing(kind, target, given, f"{name} is {value!r}; {nearest(value, known)}")
    return found


def _missing(kind: str, target: str, named: Named, why: str) -> UserError:
    """Return the error of a file that is not there: why, and what would make it."""
    for name, value in named.items():
        target = target.replace(f"{{{name}}}", value or f"<{name}>")
    return UserError(f"no {kind}: {why}; to make it, run 'snakemake --cores 2 {target}'")
