"""Three items for tuning a model, and properties that hold after twenty steps of an arm."""

import numpy as np
import pytest
import torch
from in_memory import pixels

from eyechart.inference.prompts import PromptStyle
from eyechart.tuning import arms
from eyechart.tuning.questions import TunedItems

WORDS = ["a red square", "a red circle", "yes it is two"]
STEPS = 20


def three_items(folder):
    """Save three images; return them and one item about each, each with a different answer."""
    images, items = {}, []
    for n, image in enumerate(pixels(3)):
        image.save(path := folder / f"{n}.png")
        images[f"p{n}"] = {"path": str(path), "width": image.width, "height": image.height}
        item = {"item_id": f"i{n}", "images": [f"p{n}"], "prompt": "what is it ?"}
        items.append(item | {"choices": WORDS, "answer": WORDS[n]})
    return images, items


def questions_about(adapter, data):
    return TunedItems(adapter, PromptStyle("{question}", "text", 1), "mean", data[0], 3)


def check_twenty_steps(adapter, questions, items, arm):
    """An arm starts as the unchanged model, lowers the loss, and changes no other weights."""
    kept = {n: p.detach().clone() for n, p in adapter.model.named_parameters()}
    before = questions.answers(items)
    learner = arms.make_arm(adapter, arm, 2, questions.words(items))
    learner.start("seed", 0)
    questions.tune(learner.components)
    if arm != "prompt_3":  # it starts as the unchanged model
        np.testing.assert_allclose(questions.answers(items), before, atol=1e-4)
    rate = 0.2 if arm == "prompt_3" else 0.02  # a prompt has few parameters
    optimizer = torch.optim.AdamW(learner.parameters.values(), lr=rate, weight_decay=0)
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = questions.loss(items, blank=False)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert min(losses[-3:]) < losses[0] - 0.05, losses
    scored = [s[n] for n, s in enumerate(questions.answers(items))]
    tokens = [len(questions.script(i, blank=False).choices[n]) for n, i in enumerate(items)]
    expected = -np.mean(np.array(scored) / tokens)
    assert float(questions.loss(items, blank=False).detach()) == pytest.approx(expected, abs=1e-4)
    trained = {id(p) for p in learner.parameters.values()}
    for path, weight in adapter.model.named_parameters():
        if id(weight) not in trained:
            assert torch.equal(weight, kept[path.replace(".base_layer", "")]), path
