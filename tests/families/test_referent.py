"""In every family, the span referent is the weighted mean of the stored image tokens."""

import numpy as np
import pytest
from in_memory import SIZES, pixels, plan, run_engine
from test_token_positions import CASES, NOWHERE, READERS
from zoo import FAMILIES

from eyechart.tables.token_boxes import shown_weights

# from PaliGemma's processor
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

ASKED = [["p0"], ["p0"], ["p1"], ["p2"], ["p2"], ["p0"]]
SPANS = ("referent", "referent_center", "other_object")


def expected(adapter, question, span, stage, key, whole):
    """Return the mean of an item's stored tokens; ``whole`` is by image, or by item if needed."""
    image, regions = question.regions[span]
    shown = question.images if stage == "lm" else [image]
    weights = [
        shown_weights(adapter.token_boxes(SIZES[i], key, len(shown)), regions) * (i == image)
        for i in shown
    ]
    tokens = whole.get(f"q{question.row}", whole.get(image))
    return np.concatenate(weights) @ tokens.astype(np.float64)


def check(adapter, card, asked, monkeypatch):
    """Compare every region of a run with stored tokens; return the addresses that have regions."""
    shown = dict(zip(SIZES, pixels(3), strict=True))
    part = plan(asked, ["what is it ?", "count the dogs", "is the red square left ?"])
    found = run_engine(adapter, card, shown, part, 4, monkeypatch)
    located = [a for a in card["addresses"] if "referent" in a["spans"]]
    for a in located:
        whole = found[f"{a['address']}/image_tokens"]
        for question in part.questions:
            for span in SPANS:
                key = adapter.box_key(a["region"], a["module"])
                direct = expected(adapter, question, span, a["region"], key, whole)
                own = found[f"{a['address']}/{span}"][f"q{question.row}"]
                np.testing.assert_allclose(own, direct, rtol=0, atol=1e-5, err_msg=a["address"])
    return located


@pytest.mark.parametrize("name", CASES)
def test_a_referent_is_the_mean_of_the_tokens_in_its_region(name, loaded, cards, monkeypatch):
    located = check(loaded(name), cards(name), ASKED, monkeypatch)
    regions = {a["region"] for a in located}
    whole = {a["region"] for a in cards(name)["addresses"] if "image_tokens" in a["spans"]}
    assert regions == ({"vision"} if name in NOWHERE else whole)
    assert {a["scopes"][span] for a in located for span in SPANS} == {"item"}


@pytest.mark.parametrize("name", sorted({*READERS} - NOWHERE))
def test_the_referent_of_a_prompt_with_several_images_is_on_one(name, loaded, cards, monkeypatch):
    adapter, card = loaded(name), cards(name)
    several = {  # full prompts, so image tokens are stored per prompt too
        **card,
        "shares_prefix": False,
        "addresses": [
            {**a, "scopes": dict.fromkeys(a["scopes"], "item")} if a["region"] == "lm" else a
            for a in card["addresses"]
        ],
    }
    assert check(adapter, several, [["p0", "p2"], ["p2", "p1"], ["p1"]], monkeypatch)
    assert FAMILIES[name].kind == "vlm"
