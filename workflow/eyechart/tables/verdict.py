"""The three tables of a model's verdict: values by stage, classes of skills, paired differences."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from eyechart.tables.parquet import read_table, schema, write_table

# Stages that items are answered from, in the order in which a model processes an image. ``lm`` are
# the language model's image tokens, ``position`` is where the answer starts; each is read at its
# first, best and last address.
IMAGE_TOKENS = ("lm_first", "lm_best", "lm_last")
POSITION = ("position_first", "position_best", "position_last")
STAGES = ("alone", "encoder", "connector", *IMAGE_TOKENS, *POSITION, "sighted", "blind")
COMPARISONS = {  # name: the first minus the second
    "encoder_connector": ("encoder", "connector"),
    "encoder_lm": ("encoder", "lm_best"),
    "encoder_sighted": ("encoder", "sighted"),
    "connector_lm": ("connector", "lm_best"),
    "lm_kept": ("lm_best", "lm_last"),
    "lm_position": ("lm_best", "position_best"),
    "kept_position": ("lm_last", "position_best"),
    "lm_sighted": ("lm_best", "sighted"),
    "position_sighted": ("position_best", "sighted"),
    "sighted_blind": ("sighted", "blind"),
}
CLASSES = (
    *("used", "not_encoded", "lost_in_connector", "lost_in_lm", "not_retrieved", "not_verbalised"),
    "not_used",  # the language model holds it; where the answer starts was not read
    "prior",
    "encoded",  # of a model without a language model
    "undecided",
)
USED, NOT_ENCODED, LOST_IN_CONNECTOR, LOST_IN_LM, NOT_RETRIEVED, NOT_VERBALISED = CLASSES[:6]
NOT_USED, PRIOR, ENCODED, UNDECIDED = CLASSES[6:]
SHOWN, REFUTED, OBSERVED = SUPPORT = ("shown_causally", "contradicted", "observed_only")
SIX, QUESTION, PATTERN = BANDS = ("six", "question", "pattern")  # kinds of skill

SKILL = ["dataset", "skill"]  # the columns that identify a skill of a model in all three tables
_SKILL = "model dataset skill band: string"

VALUES = schema(
    _SKILL,
    "stage address evidence: string",
    "value ci_low ci_high chance floor: float64",
    "n groups: int32",
)
"""One row per skill and stage, by band, dataset, skill, then along the model.

skill: Name of the task
band: `six`: vision-centric tasks; `question`: questions about scenes; `pattern`: patterns of MMVP
stage: `alone`, `encoder`, `connector`; `lm_first`, `lm_best`, `lm_last`: image tokens in the
  language model at its first, best and last address; `position_first`, `position_best`,
  `position_last`: where the answer starts; `sighted` or `blind`
address: The layer, or the encoder that answered; empty for the model's own responses
evidence: `readout`, `probe` or `answer`
value (share): Items right at this stage
floor (share): Accuracy without the image: chance, or for a probe the accuracy from the question
  alone if that is higher
"""

SKILLS = schema(
    _SKILL,
    "kind contains seen: string",
    "n groups: int32",
    "chance changed changed_ci_low changed_ci_high: float64",
    "look answered planned: int32",
    "verdict rule: string",
    "partly: bool",
    "loss_first loss_second: string",
    "loss: float64",
    "needed: int32",
    "pooled pooled_low pooled_high: float64",
    "why evidence cause horizon: string",
    "horizon_sure: bool",
    "used_at unused_at causal: string",
)
"""One row per skill: its class and why. The metadata hold the settings of the rules.

skill: Name of the task
band: `six`, `question` or `pattern`
kind: `vlm` or `encoder`
contains: The encoder in a VLM; null where unknown
seen: `canvas` or `alone`: how the images of the deciding readouts were seen; null without readouts
n: Items that all stages have
changed (share): Responses that change when the image is removed; null without blind responses
changed_ci_low, changed_ci_high (share): End of its 95 % interval
look: Where items are answered in steps, the look at which it stopped, from 1; else null
answered, planned: Items answered up to that look, and up to the last; null likewise
verdict: `used`, `not_encoded`, `lost_in_connector`, `lost_in_lm`, `not_retrieved`,
  `not_verbalised`, `not_used`, `prior`, `encoded` or `undecided`
rule: Name of the rule that gave the class; `none` for `undecided`
partly: Whether the class names a loss and the answer is above blind, so that a part is used
loss_first, loss_second: Stages between which most is lost; null if nothing is lost
loss (share): What is lost between them
needed: Items at which the skill is expected to be decided, at the accuracies seen; null for others,
  and where no number up to 16 times as many does
pooled (share): Of a pattern with few items, the accuracy drawn towards all patterns; else null
pooled_low, pooled_high (share): End of its 95 % interval
why: The class in a sentence, with the numbers that it is based on
evidence: `shown_causally`: interventions agree with the class; `contradicted`: they do not;
  `observed_only`: they show neither, or none were made
cause: What interventions show of the failure: `inert`, `unspecific`, `said_otherwise` or `misread`;
  null where they show none
horizon: The last address behind which exchanging the image tokens moves the answer; null if none
horizon_sure: Whether it is shown to move the answer by less than the margin everywhere behind that
used_at: Addresses at which erasing the skill's concept costs answers, separated by commas
unused_at: Addresses at which the concept is decodable, and erasing it changes nothing
causal: What interventions show, in sentences; null where none were made
"""

DIFFERENCES = schema(
    _SKILL,
    "comparison first second: string",
    "paired: bool",
    "difference ci_low ci_high p q: float64",
)
"""One row per skill and comparison of two stages.

skill: Name of the task
band: `six`, `question` or `pattern`
comparison: Name of the two stages
first: Stage of the first value
second: Stage of the value that is subtracted
paired: Whether both have the same items; otherwise two sets of items are compared
difference (share): First minus second
p: Exact sign-flip test by group (of 0 and 1: McNemar's); of unpaired stages, Student's t
q: Corrected over the comparisons of the skill (Benjamini–Hochberg)
"""

CALIBRATION = schema(
    "scenario expected: string",
    "choices n looks: int32",
    "answered: float64",
    "skills: int32",
    "right undecided wrong: float64",
    "wrong_classes: string",
    "coverage rejected: float64",
)
"""One row per planted scenario and number of items, and per scenario where they come in steps.

scenario: What is planted
expected: The classes that are right
choices: Choices per item
n: Items per skill, at most
looks: Steps in which they are answered, further only if undecided; 1 if all at once
answered: Items answered per skill on average
skills: Skills that were planted and decided
right (share): Skills that got a right class
undecided (share): Skills that no rule decided, where that is not the right class
wrong (share): Skills that got a wrong class
wrong_classes: Which
coverage (share): 95 % intervals of stages that hold the mean over all skills; null in steps
rejected (share): Tests with p < 0.05 where nothing is planted; null elsewhere and in steps
"""

# Key of the metadata of all three: JSON with the alpha, margin and blind of the rules
NOTE = b"eyechart.verdict"
Row = dict[str, Any]


@dataclass(frozen=True)
class Verdict:
    """The three tables of one model, and the settings of its rules (None: not recorded)."""

    values: pl.DataFrame
    skills: pl.DataFrame
    differences: pl.DataFrame
    note: Row | None

    def by_skill(self) -> list[Row]:
        """Return the rows of ``skills``, each with its ``stages`` and ``differences`` by name."""
        stages = _nested(self.values, "stage")
        differences = _nested(self.differences, "comparison")
        rows = self.skills.to_dicts()
        keys = [tuple(row[name] for name in SKILL) for row in rows]
        return [
            row | {"stages": stages.get(key, {}), "differences": differences.get(key, {})}
            for key, row in zip(keys, rows, strict=True)
        ]


def parts(path: Path) -> tuple[Path, Path, Path]:
    """Return the paths of values (``path`` itself), classes and differences of one verdict."""
    return path, path.with_suffix(".classes.parquet"), path.with_suffix(".differences.parquet")


def write_verdict(
    paths: Sequence[Path], rows: tuple[list[Row], list[Row], list[Row]], note: Row
) -> None:
    """Write rows of values, skills and differences, each to its path, with the same note."""
    for path, part, columns in zip(paths, rows, (VALUES, SKILLS, DIFFERENCES), strict=True):
        noted = columns.with_metadata({NOTE: json.dumps(note)})
        write_table(path, pa.Table.from_pylist(part, noted))


def read_verdict(path: Path) -> Verdict:
    """Load the three tables of a verdict; ``path`` is that of the values.

    Raise a UserError if one of them is missing, is not a complete Parquet file, or lacks a column.
    """
    schemas = (VALUES, SKILLS, DIFFERENCES)
    tables = [read_table(at, of.names) for at, of in zip(parts(path), schemas, strict=True)]
    note = (tables[1].schema.metadata or {}).get(NOTE)
    values, skills, differences = (pl.DataFrame(table) for table in tables)
    return Verdict(values, skills, differences, json.loads(note) if note else None)


def _nested(rows: pl.DataFrame, name: str) -> dict[tuple[str, ...], dict[str, Row]]:
    found: dict[tuple[str, ...], dict[str, Row]] = {}
    for row in rows.to_dicts():
        found.setdefault(tuple(row[key] for key in SKILL), {})[row[name]] = row
    return found
