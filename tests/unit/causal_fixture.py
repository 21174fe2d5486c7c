"""Effects and erasers of one model, computed from shares, in the format of ``measure_effects``."""

from pathlib import Path
from typing import Any

import pyarrow as pa

from eyechart.tables.interventions import EFFECTS, ERASERS
from eyechart.tables.notes import write_noted
from eyechart.tables.parquet import write_table

ADDRESSES = ("connector", "lm.0", "lm.1", "lm.2")
MARGIN, REACH = 0.1, 0.05
Row = dict[str, Any]


def row(intervention: str, address: str, value: float, beside: float, **more: Any) -> Row:
    """Return a row of effects; p is small for differences beyond ``reach``."""
    reach, difference = more.pop("reach", REACH), value - beside
    shown = abs(difference) > reach
    return {
        **{"model": "m", "dataset": "drawn", "task": "color", "intervention": intervention},
        **{"address": address, "until": address, "direction": "", "target": "image"},
        **{"concept": "", "control": "none", "metric": "right", "chosen": ""},
        **{"value": value, "ci_low": value - reach, "ci_high": value + reach},
        **{"control_value": beside, "unedited": 0.8, "difference": difference},
        **{"difference_low": difference - reach, "difference_high": difference + reach},
        **{"p": 1e-6 if shown else 0.6, "q": 1e-5 if shown else 0.9},
        **{"equal": abs(difference) + reach < MARGIN, "n": 100, "groups": 60, **more},
    }


def patches(image: dict[str, tuple[float, float]], **more: Any) -> list[Row]:
    """Return the effects of patching a donor's image, relative to a donor with the same answer."""
    own = {"direction": "noise", "control": "same_answer", **more}
    return [
        part
        for address, (value, control) in image.items()
        for part in (
            row("patch", address, value, control, metric="to_donor", **own),
            row("patch", address, value, control, metric="moved", **own),
        )
    ]


def restored(value: float, control: float = 0.0) -> list[Row]:
    """Return the effects of restoring right answers in the donor's run, at every address."""
    own = {"direction": "denoise", "control": "swap"}
    return [row("patch", a, value, control, target=t, **own) for a in ADDRESSES
            for t in ("image", "last")]  # fmt: skip


def erased(image: dict[str, tuple[float, float]], **more: Any) -> list[Row]:
    """Return the effects of erasing colour, compared with random subspaces."""
    own = {"concept": "color", "control": "random", **more}
    return [row("erase", a, value, control, **own) for a, (value, control) in image.items()]


def erasers(before: dict[str, float], after: float = 0.14) -> list[Row]:
    """Return the rows of colour erasers; the most common answer has a share of 0.14."""
    return [
        {
            **{"model": "m", "dataset": "drawn", "address": a, "concept": "color", "control": ""},
            **{"draw": 0, "rank": 7, "tokens": 900, "variance_removed": 0.1, "n": 200},
            **{"decodable_before": b, "before_low": b - REACH, "before_high": b + REACH},
            **{"decodable_after": after, "after_low": after - REACH, "after_high": after + REACH},
            **{"majority": 0.14, "groups": 60},
        }
        for a, b in before.items()
    ]


HELD = dict.fromkeys(ADDRESSES, 0.96)
COLOR = [  # only the first block reads it, at the connector, as in tiny_llava
    *patches({"connector": (0.92, 0.44)} | dict.fromkeys(ADDRESSES[1:], (0.02, 0.03))),
    *erased({"connector": (0.12, 0.69)} | dict.fromkeys(ADDRESSES[1:], (0.75, 0.76))),
    *restored(0.7),
]


def write(
    folder: Path, rows: list[Row], fitted: list[Row], notes: dict[str, str] | None = None
) -> Path:
    """Write both tables; return the path of the effects."""
    path = folder / "results/interventions/m/drawn/effects.parquet"
    write_noted(path, pa.Table.from_pylist(rows, EFFECTS), notes or {})
    write_table(path.with_name("erasers.parquet"), pa.Table.from_pylist(fitted, ERASERS))
    return path
