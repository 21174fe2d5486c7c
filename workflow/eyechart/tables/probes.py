"""The two tables of a probed task: metrics and predictions."""

from eyechart.tables.parquet import schema

KINDS = ("task", "control_type", "majority", "majority_type")

_KEY = ("address span probe: string", "seed: int32", "kind: string")

PROBES = schema(
    "model dataset task scope: string",
    *_KEY,
    "n_train n_test n_classes: int32",
    "chance accuracy ci_low ci_high train_accuracy cv_accuracy selectivity: float64",
    "selectivity_low selectivity_high null_accuracy p q penalty: float64",
    "epochs n_types: int32",
    "reason left_out: string",
)
"""One row per address, span, probe, seed and kind. In rows of kind `majority` and `majority_type`
address, span and probe are empty.
A question without a region (`exist`, `count`, presence) is answered by an encoder only if its type
is given: "are there red cubes?" is a property of the image, "the answer" is not. So an item task of
a model that answers, whose items have no region, is also probed where activations depend on the
image alone, by one linear probe per question type, all with one penalty. These rows have `n_types`;
their address says the stage (`vision.*`: encoder; `connector`; `lm.*`: image tokens) and their span
is one of the image (`image_mean`, `cls`). Their test items, a part of those of the other rows, are
those of a type that has a probe; the same in all of them. Beside them is one row of kind
`majority_type`, the floor on the same items. If there are no such probes, `reason` says why.

scope: `image`: activations of images; `item`: of images and prompts
probe: `linear` or `mlp`
seed: Seed of the probe's initial weights and random labels
kind: `task`; `control_type`: random labels per input type (with `n_types`: of the image, drawn for
  each question type); `majority`: commonest label; `majority_type`: commonest label of each
  question type in the training part
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
n_types: Question types with a probe of their own; null where one probe answers all items
reason: Why nothing is probed, a sentence: in the row of kind `majority`, then the only one, why the
  task is not; in that of kind `majority_type`, why no question type is. Such a row has neither
  accuracy nor predictions
left_out: Classes in fewer training groups than there are folds, each with its number of examples,
  which are left out; only in the rows of kind `majority` and `majority_type`
"""

PREDICTIONS = schema(*_KEY, "id truth prediction: string")
"""One row per address, span, probe, seed, kind and row of the test part.

probe: `linear` or `mlp`; empty for `majority` and `majority_type`
seed: Seed of the probe
kind: As in the table of probes
id: `item_id` or `image_id`, as the scope says
truth: The label, in controls the random one
prediction: What the probe predicts
"""
