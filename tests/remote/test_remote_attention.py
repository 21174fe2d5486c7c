"""Attention and the logit lens of families with remote code, or a reason."""

import numpy as np
import pytest
import torch
from cases import drawn, spec_of

from eyechart.attention.measure import ItemTracer
from eyechart.attention.rows import Tables
from eyechart.attention.settings import AttentionSettings
from eyechart.inference.marks import Mark
from eyechart.models.attention_weights import load_eager
from eyechart.models.load_options import LoadOptions
from eyechart.tables.attention import ATTENTION, LENS
from eyechart.tables.regions import whole_image

pytestmark = pytest.mark.filterwarnings("ignore")  # from the remote code

SETTINGS = AttentionSettings("{question}", "text", 1, 1, 1)
ITEM = {
    "item_id": "i",
    "task": "t",
    "group": "g",
    "images": ["p"],
    "prompt": "what is it ?",
    "choices": ["yes", "two"],
    "answer": "two",
}


@pytest.fixture(scope="module")
def tracer(family, folder_of, tmp_path_factory):
    path = tmp_path_factory.mktemp("image") / "p.png"
    drawn()[0].save(path)
    loading = LoadOptions("cpu", remote_code=True)
    adapter, refused = load_eager(spec_of(family), folder_of(family), loading)
    found = ItemTracer(adapter, SETTINGS, {"p": str(path)}, Tables(family, "d"), refused)
    found.trace_item(ITEM, [Mark(whole_image("A", 64, 40), 0, "right")])
    return found


def test_a_family_returns_attention_or_a_reason(tracer):
    table = tracer.tables.whole("attention", ATTENTION)
    assert bool(len(table)) != bool(tracer.reasons["attention"])
    if len(table):
        mass = np.array(table.column("image_mass"))
        assert ((mass > 0) & (mass < 1.001)).all()


def test_the_lens_ends_with_the_models_scores_or_gives_a_reason(tracer):
    table = tracer.tables.whole("lens", LENS)
    assert bool(len(table)) != bool(tracer.reasons["lens"])
    if len(table):
        trace = tracer.tracer.trace(ITEM, drawn()[:1])
        last = [r for r in table.to_pylist() if r["place"] == "answer"][-1]
        own = trace.own[torch.tensor(trace.words)]
        np.testing.assert_allclose(last["log_probability"], own, rtol=0, atol=1e-4)
