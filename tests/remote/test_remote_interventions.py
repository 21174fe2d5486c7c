"""Edits of remote families: identities, and agreement with a hook in the model's own code."""

from pathlib import Path

import numpy as np
import pytest
import references
import torch
from cases import spec_of
from identities import (
    CHOICES,
    QUESTIONS,
    batch_of,
    blocks_of,
    check_cut,
    check_edits_of_nothing,
    check_last_token,
    check_patched_blocks,
    close,
    cut_off,
    differ,
    image_pair,
    made_of,
    regions_for,
)
from image_hooks import of_images

from eyechart.core.errors import UserError
from eyechart.data.open_image import open_image
from eyechart.inference.choice_tokens import script
from eyechart.interventions.asked import DONOR, OWN
from eyechart.interventions.changes import IMAGE, LAST, QUESTION, Write, taken
from eyechart.interventions.erase import erasing
from eyechart.models.load import load
from eyechart.models.load_options import LoadOptions
from eyechart.statistics.eraser import fit

pytestmark = pytest.mark.filterwarnings("ignore")  # from the remote code


@pytest.fixture(scope="module")
def adapter(family, folder_of):
    return load(spec_of(family), folder_of(family), LoadOptions("cpu", remote_code=True))


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    return image_pair(tmp_path_factory.mktemp("images"))


@pytest.fixture
def batch(adapter, paths):
    return batch_of(adapter, paths, shares=False)


def test_patching_before_all_blocks_gives_swapped_and_after_the_last_sighted(batch):
    swapped = batch.answers(DONOR)
    assert differ(batch.answers(), swapped)
    close(batch.mixed(OWN, DONOR, "connector"), swapped)
    close(batch.answers(OWN, [taken("connector", IMAGE, DONOR)]), swapped)
    check_patched_blocks(batch)
    check_last_token(batch, blocks_of(batch.adapter)[-1])


def test_identity_edits_have_no_effect(adapter, paths):
    batch = batch_of(adapter, paths, shares=False, pairs=("aa", "bb"))
    check_edits_of_nothing(batch, (IMAGE, QUESTION, LAST))


def test_with_image_tokens_cut_from_all_text_no_answer_depends_on_the_image(batch):
    check_cut(batch)


def test_attention_without_a_mask_is_refused_in_one_sentence(batch, monkeypatch):
    monkeypatch.setattr(batch.adapter, "mask_argument", lambda address: ("padding_mask", True))
    with pytest.raises(UserError, match=r"lm\.0: attention can only be cut in blocks"):
        batch.answers(OWN, [cut_off(batch.adapter)])


def test_zeros_and_erasures_equal_the_models_own_code_under_a_hook(batch, paths):
    adapter = batch.adapter
    for address in ("connector", *blocks_of(adapter)[:2]):
        tokens = torch.cat(batch.image_states([address])[address]).double().numpy()
        labels = np.where(np.arange(len(tokens)) % 2, "odd", "even")
        eraser = erasing(fit(tokens, labels, np.cov(tokens.T, bias=True)))
        for new in (lambda hidden, _: torch.zeros_like(hidden), eraser):
            found = batch.answers(OWN, [Write(address, IMAGE, new)])
            assert differ(found, batch.answers()) or address == blocks_of(adapter)[-1]
            expected = [
                directly(adapter, paths["ab"[n // 2]], QUESTIONS[n % 2], address, new)
                for n in (0, 3)
            ]
            close([found[n] for n in (0, 3)], expected)


def directly(adapter, path, question, address, new):
    """Return the log-probability of each choice from the model's own code, with a hooked module."""
    image = open_image(Path(path))
    picture = adapter.prepare_image(image)
    row = adapter.row(question, [picture])
    marks = torch.tensor(sorted(adapter.image_marker_ids()))
    places = torch.nonzero(torch.isin(torch.tensor(row.ids), marks))[:, 0]

    def fired(module, inputs, output):
        hidden = (output[0] if isinstance(output, tuple) else output).clone()
        own = torch.ones(hidden.shape[:-1], dtype=torch.bool)
        if address != "connector":
            own[:, : places[0]] = own[:, places[-1] + 1 :] = False
        elif adapter.runs([picture]) == 1:  # otherwise one run per slice; its full output is edited
            _, masks = adapter.layout("connector", hidden, [picture])
            own = of_images(adapter, "connector", [picture], masks["image_tokens"])(hidden)
        hidden[own] = new(hidden[own], {})
        return (hidden, *output[1:]) if isinstance(output, tuple) else hidden

    module = adapter.model.get_submodule(adapter.module_path(address))
    hook = module.register_forward_hook(fired)
    scores = getattr(references, adapter.spec.family)
    try:
        with torch.inference_mode():
            return [
                sum(
                    float(scores(adapter, image, question, ids[:n]).double().log_softmax(-1)[i])
                    for n, i in enumerate(ids)
                )
                for ids in script(adapter, row, CHOICES, None).choices
            ]
    finally:
        hook.remove()


def test_all_edits_are_made(adapter, paths):
    made, said = made_of(batch_of(adapter, paths, shares=False, regions=regions_for(adapter)))
    every = {("patch", a) for a in ("connector", *blocks_of(adapter))}
    every |= {("knockout", a) for a in blocks_of(adapter)} | {("ablate", "connector")}
    every |= {("erase", "connector"), ("erase", "lm.0")}
    assert every <= made, said
    assert not said
