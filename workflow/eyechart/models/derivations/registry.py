"""Rules that derive a model from another: ``derived: {from: …, by: <name>}``.

Each rule is a module of this folder, with a line here. Its ``derive(adapter, settings, seed)``
changes the weights of a loaded model in place. Snakemake imports this module at parse time, so it
must not import numpy or torch.
"""

from typing import Any

# Components whose weights each rule may change (``rest``: the head); any other change is an error
CHANGES = {
    "eyes": ("vision",),
    "nerve": ("connector",),
    "prior": ("connector",),
    "unretrieved": (),
    "unsaid": ("rest",),
}
# Fields of the derived model's spec that a rule sets, where weights cannot express the lesion
FIELDS: dict[str, dict[str, Any]] = {"unretrieved": {"text_sees_images": False}}
# Rules fitted on items with regions: their settings name a dataset and one of its tasks
FITTED = ("nerve",)
