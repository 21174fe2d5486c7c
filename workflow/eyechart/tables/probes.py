"""The two tables of a probed task: metrics and predictions."""

from eyechart.tables.parquet import schema

KINDS = ("task", "control_type", "majority")

_KEY = ("address span probe: string", "seed: int32", "kind: string")

PROBES = schema(
    "model dataset task scope: string",
    *_KEY,
    "n_train n_test n_classes: int32",
    "chance accuracy ci_low ci_high train_accuracy cv_accuracy selectivity: float64",
    "selectivity_low selectivity_high null_accuracy p q penalty: float64",
    "epochs: int32",
)
"""One row per address, span, probe, seed and kind. In rows of kind `majority` address, span and
probe are empty.

scope: `image`: activations of images; `item`: of images and prompts
probe: `linear` or `mlp`
seed: Seed of the probe's initial weights and random labels
kind: `task`; `control_type`: random labels per input type; `majority`: commonest label
n_train: Rows of the training part
n_test: Rows of the test part
n_classes: Number of labels
chance (share): 1 / n_classes
accuracy (share): On the test part
train_accuracy (share): On the training part
cv_accuracy (share): Grouped k-fold cross-validation on the training part
selectivity (share): Accuracy minus that of `control_type`
selectivity_low, selectivity_high (share): 95 % interval of selectivity, by group
null_accuracy (share): Of the same predictions, on average over test labels permuted across groups
p: Share of these permutations in which accuracy is as high as on the true labels (one-sided)
q: `p`, corrected over the task rows of the file (Benjamini–Hochberg)
penalty: L2 penalty, relative to the mean cross-entropy; chosen by cross-validation
epochs: Passes over the training part until the held-out loss was on a plateau, chosen by
  cross-validation; null for `linear`, which is trained to its optimum
"""

PREDICTIONS = schema(*_KEY, "id truth prediction: string")
"""One row per address, span, probe, seed, kind and row of the test part.

probe: `linear` or `mlp`; empty for `majority`
seed: Seed of the probe
kind: As in the table of probes
id: `item_id` or `image_id`, as the scope says
truth: The label, in controls the random one
prediction: What the probe predicts
"""
