"""Lookup of result files by kind and name."""

from pathlib import Path

import polars as pl

from eyechart.core.errors import UserError, nearest
from eyechart.plan import paths
from eyechart.tables.parquet import read_table

Root = str | Path
ROOT = Path("results")
Named = dict[str, str | None]
PATTERNS = {
    "items": paths.ITEMS,
    "images": paths.IMAGES,
    "regions": paths.REGIONS,
    "curves": paths.CURVE,
    "shipped curves": paths.SHIPPED_CURVE,
    "built curves": paths.BUILT_CURVE,
    "activation parts": paths.ACTIVATIONS,
    "activations": paths.MANIFEST,
    "probes": paths.PROBES,
    "probe predictions": paths.PROBE_PREDICTIONS,
    "responses": paths.RESPONSES,
    "scores": paths.SCORES,
    "distributions": paths.DISTRIBUTIONS,
    "retrieval": paths.RETRIEVAL,
    "patterns": paths.PATTERN_TABLES,
    "patterns of a model": paths.PATTERN_TABLES_OF_MODEL,
    "pairs": paths.PAIRS,
    "pairs of parts": paths.PAIRS_PART,
    "aligned features": paths.ALIGNED,
    "readouts": paths.READOUTS,
    "readout predictions": paths.READOUT_PREDICTIONS,
    "concepts": paths.CONCEPTS,
    "attention": paths.ATTENTION,
    "interventions": paths.INTERVENTIONS,
    "saliency": paths.SALIENCY,
    "image use": paths.IMAGE_USE,
    "speed": paths.SPEED,
    "tuned models": paths.TUNED,
    "attention of tuned models": paths.TUNED_MAPS,
    "tuning": paths.TUNING,
    "verdict values": paths.VERDICT,
    "verdict classes": paths.CLASSES,
    "verdict differences": paths.DIFFERENCES,
    "calibration": paths.CALIBRATION,
}


def read_all(kind: str, named: Named, root: Root) -> pl.DataFrame:
    """Load all tables of a kind with the given names, with one column added per name."""
    frames = []
    for path, names in find(kind, named, root).items():
        frame = pl.DataFrame(read_table(path))
        own = {n: v for n, v in names.items() if n not in frame.columns and n != "table"}
        first = [pl.lit(value).alias(name) for name, value in own.items()]
        frames.append(frame.select(*first, pl.all()))
    return pl.concat(frames, how="vertical_relaxed")


def find_one(kind: str, named: Named, root: Root) -> Path:
    """Return the file of a kind with these names; raise a UserError if there is none."""
    (path,) = find(kind, named, root)
    return path


def find(kind: str, named: Named, root: Root) -> dict[Path, dict[str, str]]:
    """Return the files of a kind that have the given names, with all names of each file.

    Raise a UserError if there is none.
    """
    pattern = PATTERNS[kind]
    given = {name: named.get(name) for name in pattern.names}
    own = Path(root).glob(pattern.glob("*").removeprefix("*/"))
    matched = {path: pattern.match(path) for path in sorted(own)}
    found = {path: names for path, names in matched.items() if names is not None}
    target = pattern.rule().replace(paths.ROOT, Path(root).as_posix())
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
    """Return the error about a missing file: the reason, and the command that creates it."""
    for name, value in named.items():
        target = target.replace(f"{{{name}}}", value or f"<{name}>")
    return UserError(f"no {kind}: {why}; to create it, run 'snakemake --cores 2 {target}'")
