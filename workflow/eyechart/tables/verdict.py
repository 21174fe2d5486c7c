"""The table of verdicts: a row per skill of one model, with all numbers that its class rests on."""

import pyarrow as pa

# Where an item can be answered from, in the order in which a picture travels through a model
STAGES = ("alone", "encoder", "connector", "lm_best", "lm_last", "sighted", "blind")
EVIDENCE = ("readout", "probe", "answer")
COMPARISONS = {  # name: the first minus the second
    "encoder_connector": ("encoder", "connector"),
    "encoder_lm": ("encoder", "lm_best"),
    "encoder_sighted": ("encoder", "sighted"),
    "lm_sighted": ("lm_best", "sighted"),
    "sighted_blind": ("sighted", "blind"),
}
USED, BRAIN, NERVE, EYES, PRIOR, ENCODED, UNDECIDED = CLASSES = (
    *("encoded_and_used", "brain", "nerve", "eyes", "prior"),
    "encoded",  # of a model that has no language model to use it
    "undecided",
)
SIX, QUESTION, PATTERN = BANDS = ("six", "question", "pattern")  # what a skill belongs to

_STAGE = {
    "value": pa.float64(),
    "ci_low": pa.float64(),
    "ci_high": pa.float64(),
    "floor": pa.float64(),
    "n": pa.int32(),
    "address": pa.string(),
    "evidence": pa.string(),
}
_COMPARISON = ("difference", "ci_low", "ci_high", "p", "q")

VERDICT = pa.schema(
    [
        ("model", pa.string()),
        ("kind", pa.string()),
        ("contains", pa.string()),
        ("dataset", pa.string()),
        ("skill", pa.string()),
        ("band", pa.string()),
        ("seen", pa.string()),
        ("n", pa.int32()),
        ("groups", pa.int32()),
        ("chance", pa.float64()),
        *((f"{stage}_{name}", kind) for stage in STAGES for name, kind in _STAGE.items()),
        *((f"{two}_{name}", pa.float64()) for two in COMPARISONS for name in _COMPARISON),
        ("changed_value", pa.float64()),
        ("changed_ci_low", pa.float64()),
        ("changed_ci_high", pa.float64()),
        ("verdict", pa.string()),
        ("rule", pa.string()),
        ("why", pa.string()),
    ]
)

# Key of the schema's metadata: JSON with alpha, margin, blind (what the rules were applied with)
NOTE = b"eyechart.verdict"
