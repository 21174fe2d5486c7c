"""The two tables of a probed task: metrics and predictions."""

import pyarrow as pa

KINDS = ("task", "control_type", "majority")

_KEY = [
    ("address", pa.string()),
    ("span", pa.string()),
    ("probe", pa.string()),
    ("seed", pa.int32()),
    ("kind", pa.string()),
]

PROBES = pa.schema(
    [
        ("model", pa.string()),
        ("dataset", pa.string()),
        ("task", pa.string()),
        ("scope", pa.string()),
        *_KEY,
        ("n_train", pa.int32()),
        ("n_test", pa.int32()),
        ("n_classes", pa.int32()),
        ("chance", pa.float64()),
        ("accuracy", pa.float64()),
        ("ci_low", pa.float64()),
        ("ci_high", pa.float64()),
        ("train_accuracy", pa.float64()),
        ("cv_accuracy", pa.float64()),
        ("selectivity", pa.float64()),
        ("selectivity_low", pa.float64()),
        ("selectivity_high", pa.float64()),
        ("null_accuracy", pa.float64()),
        ("p", pa.float64()),
        ("q", pa.float64()),
        ("penalty", pa.float64()),
        ("epochs", pa.int32()),
    ]
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

PREDICTIONS = pa.schema(
    [*_KEY, ("id", pa.string()), ("truth", pa.string()), ("prediction", pa.string())]
)
"""One row per address, span, probe, seed, kind and row of the test part.

probe: `linear` or `mlp`; empty for `majority`
seed: Seed of the probe
kind: As in the table of probes
id: `item_id` or `image_id`, as the scope says
truth: The label, in controls the random one
prediction: What the probe predicts
"""
