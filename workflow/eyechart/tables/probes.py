"""The two tables of a probed task: metrics and predictions."""

import pyarrow as pa

KINDS = ("task", "control_type", "control_permutation", "majority")

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
        ("selectivity_permutation", pa.float64()),
        ("p_mcnemar", pa.float64()),
        ("p_ztest", pa.float64()),
        ("q", pa.float64()),
        ("lr", pa.float64()),
        ("weight_decay", pa.float64()),
        ("epochs", pa.int32()),
    ]
)
"""One row per address, span, probe, seed and kind. In rows of kind `majority` address, span and
probe are empty.

scope: `image`: activations of images; `item`: of images and prompts
probe: `linear` or `mlp`
seed: Seed of the probe's initial weights and random labels
kind: `task`; `control_type`: random labels per input type; `control_permutation`: permuted labels;
  `majority`: commonest label
n_train: Rows of the training part
n_test: Rows of the test part
n_classes: Number of labels
chance (share): 1 / n_classes
accuracy (share): On the test part
train_accuracy (share): On the training part
cv_accuracy (share): Grouped k-fold cross-validation on the training part
selectivity (share): Accuracy minus that of `control_type`
selectivity_permutation (share): Accuracy minus that of `control_permutation`
p_mcnemar: McNemar's exact test of the task against `control_type`; a group of several items votes
  once
p_ztest: z-test of the same two accuracies
q: `p_mcnemar`, corrected over the task rows of the file (Benjamini–Hochberg)
lr, weight_decay: Chosen by cross-validation
epochs: Chosen by cross-validation
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
