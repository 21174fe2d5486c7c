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
"""One row per address, span, probe, seed and kind. In rows of kind `majority` and `majority_type`,
address, span and probe are empty. An encoder's representation can answer a question without a
region (`exist`, `count`, presence) only if the question type is fixed: the answer to "are there red
cubes?" is a property of the image, "the answer" is not. An item task whose items have no region, in
a model that answers questions, is therefore also probed at addresses that depend on the image
alone. There is one linear probe per question type, all with the same penalty. These rows have
`n_types`. Their address shows the stage (`vision.*`: encoder; `connector`; `lm.*`: image tokens),
and their span is an image span (`image_mean`, `cls`). Their test items are those whose type has a
probe, a subset of the other rows' test items, and the same in all these rows. One row of kind
`majority_type` gives the floor on the same items. If there are no such probes, `reason` states why.

scope: `image` for activations of images; `item` for activations of images and prompts
probe: `linear` or `mlp`
seed: Seed of the probe's initial weights and random labels
kind: `task`; `control_type`: random labels per input type (with `n_types`: per image type, drawn
  for each question type); `majority`: most common label; `majority_type`: most common label of each
  question type in the training set
n_train: Number of rows in the training set
n_test: Number of rows in the test set
n_classes: Number of labels
chance (share): 1 / n_classes
accuracy (share): On the test set
train_accuracy (share): On the training set
cv_accuracy (share): Accuracy in grouped k-fold cross-validation on the training set
selectivity (share): Accuracy minus that of `control_type`
selectivity_low, selectivity_high (share): 95% interval of selectivity, by group
null_accuracy (share): Mean accuracy of the same predictions on test labels permuted across groups
p: Share of these permutations with an accuracy at least as high as on the true labels (one-sided)
q: `p`, corrected over the task rows of the file (Benjamini–Hochberg)
penalty: L2 penalty, relative to the mean cross-entropy; chosen by cross-validation
epochs: Passes over the training set until the held-out loss plateaus, chosen by cross-validation;
  null for `linear`, which is trained to its optimum
n_types: Number of question types with their own probe; null if one probe answers all items
reason: Why nothing is probed, as a sentence. In the row of kind `majority`, which is then the only
  row, it is about the task; in the row of kind `majority_type`, about the question types. Such a
  row has neither accuracy nor predictions
left_out: Omitted classes, which are in fewer training groups than there are folds, each with its
  number of examples; only in rows of kind `majority` and `majority_type`
"""

PREDICTIONS = schema(*_KEY, "id truth prediction: string")
"""One row per address, span, probe, seed, kind and row of the test set.

probe: `linear` or `mlp`; empty for `majority` and `majority_type`
seed: Seed of the probe
kind: As in the table of probes
id: `item_id` or `image_id`, depending on the scope
truth: The label; in controls, the random label
prediction: Label predicted by the probe
"""
