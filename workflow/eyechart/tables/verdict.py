"""The three tables of a model's verdict: values by stage, classes of skills, and differences."""

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
COMPARISONS = {  # name: (first, second); the difference is first minus second
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
    "not_used",  # the language model has it, and the answer position was not read
    "prior",
    "encoded",  # for a model without a language model
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
"""One row per skill and stage, sorted by band, dataset, skill, then stage order.

skill: Name of the task
band: `six`: vision-centric tasks; `question`: questions about scenes; `pattern`: patterns of MMVP
stage: `alone`, `encoder`, `connector`; `lm_first`, `lm_best`, `lm_last`: image tokens in the
  language model at its first, best and last address; `position_first`, `position_best`,
  `position_last`: where the answer starts; `sighted` or `blind`
address: The layer, or the name of the answering encoder; empty for the model's own responses
evidence: `readout`, `probe` or `answer`
value (share): Share of items that are correct at this stage
floor (share): Accuracy without the image: chance or, for a probe, the accuracy from the question
  alone if higher
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
"""One row per skill: its class and the reason. The metadata contain the settings of the rules.

skill: Name of the task
band: `six`, `question` or `pattern`
kind: `vlm` or `encoder`
contains: The encoder in a VLM; null if unknown
seen: `canvas` or `alone`: the input of the deciding readouts; null without readouts
n: Number of items that all stages share
changed (share): Share of responses that change when the image is removed; null without blind
  responses
changed_ci_low, changed_ci_high (share): End of its 95% interval
look: The look, from 1, at which answering in steps stopped; null if items are not answered in steps
answered, planned: Number of items answered up to that look, and planned up to the last; null in the
  same cases
verdict: `used`, `not_encoded`, `lost_in_connector`, `lost_in_lm`, `not_retrieved`,
  `not_verbalised`, `not_used`, `prior`, `encoded` or `undecided`
rule: Name of the rule that decided the class; `none` for `undecided`
partly: Whether the class states a loss although the answer is above blind, so part of the
  information is used
loss_first, loss_second: Stages with the largest loss between them; null if nothing is lost
loss (share): Loss between them
needed: Number of items at which an undecided skill is expected to be decided, given the observed
  accuracies; null for decided skills, and if up to 16 times as many items would not suffice
pooled (share): For a pattern with few items, the accuracy shrunk towards the mean of all patterns;
  otherwise null
pooled_low, pooled_high (share): End of its 95% interval
why: A sentence about the class, with the numbers it is based on
evidence: `shown_causally`: interventions support the class; `contradicted`: they contradict it;
  `observed_only`: they show neither, or there are none
cause: Cause of the failure as shown by interventions: `inert`, `unspecific`, `said_otherwise` or
  `misread`; null if they show none
horizon: The last address at which exchanging the image tokens changes the answer; null if none
horizon_sure: Whether, at every later address, the exchange is shown to change the answer less often
  than the margin
used_at: Addresses at which erasing the skill's concept lowers accuracy, separated by commas
unused_at: Addresses at which the concept is decodable but erasing it changes nothing
causal: The results of interventions, in sentences; null if there are none
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
comparison: Name of the pair of stages
first: Stage of the first value
second: Stage of the subtracted value
paired: Whether both stages have the same items; otherwise two different sets of items are compared
difference (share): First minus second
p: Exact sign-flip test by group (McNemar's for values 0 and 1); Student's t for unpaired stages
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
"""One row per planted scenario and number of items, and one per scenario with items in steps.

scenario: The planted truth
expected: The correct classes
choices: Number of choices per item
n: Maximum number of items per skill
looks: Number of steps in which items are answered, continuing only while undecided; 1 if all at
  once
answered: Mean number of items answered per skill
skills: Number of planted skills
right (share): Share of skills with a correct class
undecided (share): Share of skills that are undecided, if that is not correct
wrong (share): Share of skills with a wrong class
wrong_classes: These wrong classes
coverage (share): Share of the stages' 95% intervals that contain the mean over all skills; null in
  steps
rejected (share): Share of tests with p < 0.05 if there is no planted difference; otherwise, and in
  steps, null
"""

# Metadata key of all three tables: JSON with the alpha, margin and blind of the rules
NOTE = b"eyechart.verdict"
Row = dict[str, Any]


@dataclass(frozen=True)
class Verdict:
    """The three tables of one model, and the settings of its rules (None if not recorded)."""

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
    """Return the paths of one verdict's values (``path`` itself), classes and differences."""
    return path, path.with_suffix(".classes.parquet"), path.with_suffix(".differences.parquet")


def write_verdict(
    paths: Sequence[Path], rows: tuple[list[Row], list[Row], list[Row]], note: Row
) -> None:
    """Write rows of values, skills and differences, each to its path, with the same note."""
    for path, part, columns in zip(paths, rows, (VALUES, SKILLS, DIFFERENCES), strict=True):
        noted = columns.with_metadata({NOTE: json.dumps(note)})
        write_table(path, pa.Table.from_pylist(part, noted))


def read_verdict(path: Path) -> Verdict:
    """Load the three tables of a verdict; ``path`` is the path of the values.

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
