"""The tables of tuning: answers and attention before and after, and the gain of each arm."""

from collections.abc import Iterable, Mapping
from typing import Any

from eyechart.tables.parquet import schema

BEFORE = "none"
ON_BLANK = "blank_on_blank"  # trained and tested on white images

TUNED = schema(
    "model tuned_on tuned_task arm data: string",
    "seed steps: int32",
    "parameters: int64",
    "learning_rate: float64",
    "dataset item_id task group: string",
    "log_probability: list of float64",
    "predicted answer: string",
    "chosen truth: int32",
    "right: bool",
    "region_mass: float64",
)
"""One row per item, kind of data and seed: the answers of a tuned model on the item's own images.

tuned_on, tuned_task: Dataset and task whose training items it was tuned on
arm: Trained part: `prompt_5` (embeddings), `lora_vision`, `lora_connector`, `lora_lm`
data: Tuning data: `true` data, `blank` (white images), `shuffled` answers; `none`: the model before
  tuning; `blank_on_blank`: answers to white images after tuning on white images
seed: Number of the training run; null before tuning
steps: Training steps
parameters: Number of trained parameters
learning_rate: Learning rate of the training
dataset, task: Dataset and task of the item; those not tuned on show forgetting
log_probability (nats): Log-probability of each choice
predicted: Choice selected by these log-probabilities
answer: The right choice
chosen, truth: Index of the predicted and of the right choice among the item's choices, from 0
right: Whether the two are equal
region_mass (share): Attention of the answer position to the item's region, mean over blocks and
  heads; null if not measured
"""

TUNED_MAPS = schema(
    "model dataset task arm: string",
    "seed: int32",
    "item_id image_id: string",
    "number: int32",
    "before after: list of float32",
    "places: list of float32[7]",
)
"""One row per arm, seed and image, for a few test items of the task, which are the same for all
arms. The metadata give the `reason` if there are no rows, and a `note` on omitted drawings.

arm: Trained part: `prompt_5` (embeddings), `lora_vision`, `lora_connector`, `lora_lm`
seed: Number of the training run on true data
image_id: The image
number: Its index among the item's images, from 0
before, after (share): Attention of the answer position to each image token, before and after
  tuning, mean over blocks and heads
places: View, row, column, left, top, right, bottom of each image token, edges in pixels
"""

TUNING = schema(
    "model dataset task arm part data: string",
    "seed steps: int32",
    "parameters: int64",
    "learning_rate: float64",
    "before after lift_low lift_high: float64",
    "gain gain_low gain_high p q: float64",
    "over_shuffled p_shuffled over_others p_others: float64",
    "closed tv_before tv_after: float64",
    "forgotten forgotten_low forgotten_high: float64",
    "mass_before mass_after mass_low mass_high: float64",
    "n groups other_n: int32",
    "adaptable: bool",
)
"""One row per task, arm, kind of data and seed, and one row for all seeds together.

arm: Trained part: `prompt_5` (embeddings), `lora_vision`, `lora_connector`, `lora_lm`
part: Trained component: `prompt`, `vision`, `connector` or `lm`
data: Tuning data: `true` data, `blank` (white images), `shuffled` answers
seed: Number of the training; null: the mean of all
steps: Training steps
parameters: Number of trained parameters
learning_rate: Learning rate; like the number of steps, the best on held-out groups of the training
  set
before, after (share): Share of test items answered correctly, on their own images
lift_low, lift_high: End of the 95% interval of after minus before
gain: Accuracy after `true` minus the highest of these, on the same items: after `blank` (tested on
  own or white images), and before tuning; only for `true`, like the columns up to `p_others`
gain_low, gain_high: End of its 95% interval, by group
p: Sign-flip test by group, the largest p of these comparisons
over_shuffled: Accuracy after `true` minus after `shuffled`
p_shuffled: Its sign-flip test
over_others: Smallest difference to the arms of other parts
p_others: Largest p of these differences
closed (share): Lift as a share of the gap between the best readout and the model before tuning;
  null unless a readout is better
tv_before, tv_after: Total variation distance between the positions of the right answers and of the
  model's answers
forgotten: Accuracy on items of other tasks, before minus after
forgotten_low, forgotten_high: End of its 95% interval, by group
mass_before, mass_after (share): Attention of the answer position to the items' regions, mean over
  blocks and heads
mass_low, mass_high (share): End of the 95% interval of after minus before, by group
other_n: Number of items of other tasks
adaptable: Whether the task is adaptable at this part: its arm gains (q), also over shuffled answers
  and over the arms of all other parts (p), with each q and p below `tuning.alpha`; null for
  embeddings and single seeds
"""


def adaptable_at(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the tasks that are adaptable at a component, each with the component."""
    found = [row for row in rows if row.get("adaptable")]
    return [f"{row['task']} of {row['dataset']} at the part {row['part']}" for row in found]
