"""The tables of tuning: answers and attention before and after, and what each arm gained."""

from eyechart.tables.parquet import schema

BEFORE = "none"
ON_BLANK = "blank_on_blank"  # trained on white images, and shown these

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
"""One row per item, kind of data and seed: answers of a tuned model, on the item's own images.

tuned_on, tuned_task: Dataset and task whose training items it was tuned on
arm: What learns: `prompt_5` (embeddings), `lora_vision`, `lora_connector`, `lora_lm`
data: What it was tuned on: `true` data, `blank` (white images), `shuffled` answers; `none`: the
  model before tuning; `blank_on_blank`: its answers to white images after it was tuned on these
seed: Number of the training; null before tuning
steps: Steps of training
parameters: Parameters that learn
learning_rate: Of the training
dataset, task: Of the item; others than the tuned ones show what is forgotten
log_probability (nats): Of each choice
predicted: The choice that follows from them
answer: The right choice
chosen, truth: Position of these two among the item's choices, from 0
right: Whether they are equal
region_mass (share): Attention of the answer position to the region that the item is about, mean
  over blocks and heads; null where it was not measured
"""

TUNED_MAPS = schema(
    "model dataset task arm: string",
    "seed: int32",
    "item_id image_id: string",
    "number: int32",
    "before after: list of float32",
    "places: list of float32[7]",
)
"""One row per arm, seed and image of a few test items of the task, the same for all arms. Metadata
`reason`: why there are none; `note`: what cannot be drawn.

arm: What learned: `prompt_5` (embeddings), `lora_vision`, `lora_connector`, `lora_lm`
seed: Number of the training on true data
image_id: The image
number: Its number among the item's images, from 0
before, after (share): Attention of the answer position on each image token, before tuning and after
  it: mean over blocks and heads
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
"""One row per task, arm, kind of data and seed, and one of all seeds together.

arm: What learns: `prompt_5` (embeddings), `lora_vision`, `lora_connector`, `lora_lm`
part: Component that learns: `prompt`, `vision`, `connector` or `lm`
data: What it was tuned on: `true` data, `blank` (white images), `shuffled` answers
seed: Number of the training; null: the mean of all
steps: Steps of training
parameters: Parameters that learn
learning_rate: Of the training; like the steps, the best on held-out groups of the training part
before, after (share): Test items answered right, on their own images
lift_low, lift_high: End of the 95 % interval of after minus before
gain: After `true` minus the most of after `blank` (shown their own images or white ones) and
  before, on the same items; of `true` alone, like what follows to `p_others`
gain_low, gain_high: End of its 95 % interval, by group
p: Sign-flip test by group, the largest of these
over_shuffled: After `true` minus after `shuffled`
p_shuffled: Its sign-flip test
over_others: The smallest difference to the other parts' arms
p_others: The largest p of these
closed (share): Lift over what the best readout answers more than the model did before; null without
  a readout that answers more
tv_before, tv_after: Total variation between the positions of right answers and of the model's
forgotten: Accuracy on items of other tasks, before minus after
forgotten_low, forgotten_high: End of its 95 % interval, by group
mass_before, mass_after (share): Attention of the answer position to the regions that items are
  about, mean over blocks and heads
mass_low, mass_high (share): End of the 95 % interval of after minus before, by group
other_n: Items of other tasks
adaptable: Whether the task is adaptable at this part: its arm gains (q), over shuffled and all
  other parts' arms, too (p), each below `tuning.alpha`; null for embeddings and single seeds
"""
