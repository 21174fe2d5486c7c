"""Tuning every family: all arms have equally many parameters, learn, and change nothing else."""

import numpy as np
import pytest
import torch
from twenty_steps import check_twenty_steps, questions_about, three_items
from zoo import FAMILIES

from eyechart.core.errors import UserError
from eyechart.models import soft_prompt
from eyechart.models.load import load
from eyechart.models.load_options import LoadOptions
from eyechart.tuning import arms
from eyechart.tuning.questions import encode

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning"),
]
NO_LINEAR = {("gemma3", "lora_connector")}  # its connector is a single matrix
READERS = sorted(name for name, case in FAMILIES.items() if case.kind == "vlm")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return three_items(tmp_path_factory.mktemp("images"))


def start(checkpoint, name, data):
    adapter = load(FAMILIES[name].spec, checkpoint(name), LoadOptions("cpu"))
    for path, weight in adapter.model.named_parameters():
        if path.endswith("_gate"):  # initially zero, which would hide the image
            weight.data.fill_(1.0)
    return adapter, questions_about(adapter, data)


ARMS = [(n, a) for n in READERS for a in ("prompt_3", *arms.LORA) if (n, a) not in NO_LINEAR]


@pytest.mark.parametrize(("name", "arm"), ARMS)
def test_twenty_steps_lower_the_loss_and_change_nothing_else(name, arm, checkpoint, data):
    adapter, questions = start(checkpoint, name, data)
    check_twenty_steps(adapter, questions, data[1], arm)


@pytest.mark.parametrize("name", READERS)
def test_all_arms_have_equally_many_parameters(name, checkpoint, data):
    counts = []
    for arm in arms.LORA:
        adapter, _ = start(checkpoint, name, data)
        if (name, arm) in NO_LINEAR:
            with pytest.raises(UserError, match=r"family gemma3 has no linear layer there"):
                arms.make_arm(adapter, arm, 4, [])
            continue
        learner = arms.make_arm(adapter, arm, 4, [])
        counts.append(sum(p.numel() for p in learner.parameters.values()))
    assert max(counts) <= 1.02 * min(counts), counts


@pytest.mark.parametrize("name", READERS)
def test_cached_encoder_outputs_equal_recomputed_ones(name, checkpoint, data):
    adapter, questions = start(checkpoint, name, data)
    keys = [questions.keys(item, blank=False)[0] for item in data[1]]
    with torch.no_grad():
        plain = encode(adapter, [questions.prepare(key) for key in keys])
        expected = questions.answers(data[1])
        questions.tune(("connector",))
        for _ in range(2):  # the second time, from cached images
            found = questions.answers(data[1])
            np.testing.assert_allclose(found, expected, atol=1e-4)
    assert len(plain) == 3
    if questions.memory.works:
        assert {key for key, _ in questions.memory.kept} == set(keys)


@pytest.mark.parametrize("name", READERS)
def test_items_about_one_image_share_its_pass_with_equal_gradients(name, checkpoint, data):
    adapter, questions = start(checkpoint, name, data)
    items = data[1]
    more = [{**i, "item_id": f"m{i['item_id']}", "prompt": "what shape ?"} for i in items[:2]]
    learner = arms.make_arm(adapter, "lora_lm", 2, [])
    learner.start("seed", 0)
    questions.tune(learner.components)
    found = {}
    for questions.share in (True, False):
        loss = questions.loss([*items, *more], blank=False)
        wanted = list(learner.parameters.values())
        found[questions.share] = [loss, *torch.autograd.grad(loss, wanted, allow_unused=True)]
    for shared, plain in zip(found[True], found[False], strict=True):
        if plain is not None:
            torch.testing.assert_close(shared, plain, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", READERS)
def test_a_soft_prompt_of_word_embeddings_equals_the_words(name, checkpoint, data):
    """Ids beyond the vocabulary with the embeddings of words act like these words."""
    adapter, questions = start(checkpoint, name, data)
    ids = adapter.plain_ids("the red square")
    plain = adapter.row
    image = questions.prepare(questions.keys(data[1][0], blank=False)[0])
    row = plain("what is it ?", [image])
    at = adapter.prefix(row.ids) or int(row.ids[:1] == [adapter.tokenizer.bos_token_id])
    with torch.no_grad():
        vectors = adapter.model.get_input_embeddings()(torch.tensor([ids]))[0]
        soft_prompt.attach(adapter, vectors)
        prompted = adapter.row("what is it ?", [image])
        assert len(prompted.ids) == len(row.ids) + len(ids)
        shown = encode(adapter, [image])
        found, expected = (
            adapter.logits([r], shown, [[]])[0] for r in (prompted, adapter.longer(row, at, ids))
        )
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
