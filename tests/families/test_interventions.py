"""Every family: identities of patches, cuts and mixed caches, valid for any weights."""

import dataclasses

import numpy as np
import pytest
from identities import (
    IN_IMAGE,
    SPANS,
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
from zoo import FAMILIES

from eyechart.core.errors import UserError
from eyechart.interventions.asked import DONOR, OWN
from eyechart.interventions.changes import IMAGE, LAST, QUESTION, Cut, Write, taken

# from PaliGemma's processor
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

READERS = sorted(name for name, case in FAMILIES.items() if case.kind == "vlm")
SHARING = [name for name in READERS if FAMILIES[name].shares]
DECODERS = ("blip2_t5",)
NO_TOKENS = ("mllama",)  # images have no tokens
RECURRENT = ("minicpmv4_6",)
ENCODED_AGAIN = ("instructblip",)


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    return image_pair(tmp_path_factory.mktemp("images"))


@pytest.mark.parametrize("name", READERS)
def test_patching_before_all_blocks_gives_swapped_and_after_the_last_sighted(name, loaded, paths):
    batch = batch_of(loaded(name), paths, FAMILIES[name].shares)
    sighted, swapped = batch.answers(), batch.answers(DONOR)
    assert differ(sighted, swapped) or name in NO_TOKENS  # Mllama's gates are initially closed
    close(batch.mixed(OWN, DONOR, "connector"), swapped)
    if name in ENCODED_AGAIN:
        with pytest.raises(UserError, match="output cannot be replaced"):
            batch.answers(OWN, [taken("connector", IMAGE, DONOR)])
    elif name != "qwen3_vl":  # makes early blocks use more of the image
        close(batch.answers(OWN, [taken("connector", IMAGE, DONOR)]), swapped)
    if name in (*DECODERS, *NO_TOKENS):  # a decoder reads the last block's output
        return
    check_patched_blocks(batch)


@pytest.mark.parametrize("name", SHARING)
def test_mixed_caches_equal_hooks_on_full_prompts(name, loaded, paths):
    adapter = loaded(name)
    shared, whole = (batch_of(adapter, paths, shares) for shares in (True, False))
    close(shared.answers(), whole.answers())
    for address in blocks_of(adapter):
        # Qwen3-VL's early blocks add features of the current image after the hooks
        if name == "qwen3_vl" and int(address[3:]) < deepstack(adapter):
            continue
        for runs in ((OWN, DONOR), (DONOR, OWN)):
            close(shared.mixed(*runs, address), whole.mixed(*runs, address), 1e-4)


def deepstack(adapter):
    return len(adapter.model.config.vision_config.deepstack_visual_indexes)


@pytest.mark.parametrize("name", SHARING)
def test_every_change_is_the_same_with_shared_prefixes_and_full_prompts(name, loaded, paths):
    adapter = loaded(name)
    region = regions_for(adapter)
    shared, whole = (batch_of(adapter, paths, shares, regions=region) for shares in (True, False))
    block = blocks_of(adapter)[-2]
    plain = shared.answers()
    turned = [Write(a, s, lambda h, _: h.flip(-1)) for a in ("connector", block) for s in SPANS]
    changes = [*([w] for w in turned if w.span in IN_IMAGE or w.address == block)]
    changes += [[taken(block, span, DONOR)] for span in SPANS]
    changes += [[Cut([q], k, [0, 1])] for q in (QUESTION, LAST) for k in IN_IMAGE]
    changes += [[Cut([LAST], k, [1])] for k in IN_IMAGE]  # the first block does not run
    for change in changes:
        found = shared.answers(OWN, change)
        close(found, whole.answers(OWN, change), 1e-4)
        assert differ(found, plain), change


@pytest.mark.parametrize("name", READERS)
def test_with_image_tokens_cut_from_all_text_no_answer_depends_on_the_image(name, loaded, paths):
    adapter = loaded(name)
    batch = batch_of(adapter, paths, FAMILIES[name].shares)
    if name in (*NO_TOKENS, *RECURRENT):
        why = "no tokens of the image" if name in NO_TOKENS else "recurrent"
        with pytest.raises(UserError, match=why):
            batch.answers(OWN, [cut_off(adapter)])
        return
    check_cut(batch)


@pytest.mark.parametrize("name", READERS)
def test_the_last_token_after_the_last_block_determines_the_answer(name, loaded, paths):
    adapter = loaded(name)
    batch = batch_of(adapter, paths, FAMILIES[name].shares)
    names = list(adapter.addresses())
    stem = "decoder" if name in DECODERS else "lm"
    last = [a for a in names if a.startswith(stem) and a.split(".")[1].isdigit()][-1]
    check_last_token(batch, last)


@pytest.mark.parametrize("name", READERS)
def test_writing_unchanged_states_has_no_effect(name, loaded, paths):
    adapter = loaded(name)
    batch = batch_of(adapter, paths, FAMILIES[name].shares, pairs=("aa", "bb"))
    without = {"mllama": IMAGE, "blip2_t5": LAST}.get(name)  # a decoder has the last token
    check_edits_of_nothing(batch, {IMAGE, QUESTION, LAST} - {without})


LEFT_OUT = {  # edits that are not made
    "instructblip": {("erase", "connector"), ("ablate", "connector")},
    "mllama": {("erase", "lm.0"), ("patch", "lm.0", IMAGE), ("knockout", "lm.0")},
    "minicpmv4_6": {("knockout", "lm.0")},
}


@pytest.mark.parametrize("name", READERS)
def test_unsupported_edits_are_noted_and_the_rest_run(name, loaded, paths):
    adapter = loaded(name)
    regions = {} if name in NO_TOKENS else regions_for(adapter)
    made, said = made_of(batch_of(adapter, paths, FAMILIES[name].shares, regions=regions))
    left = LEFT_OUT.get(name, set())
    assert not made & left
    assert bool(left) == bool(said), said
    expected = {("patch", "connector"), ("patch", "lm.0", QUESTION), ("ablate", "connector")}
    if name not in NO_TOKENS:  # without labels, nothing can be erased
        expected |= {("knockout", "lm.1"), ("erase", "connector"), ("erase", "lm.0")}
    assert expected - left <= made


def test_regions_with_different_numbers_of_tokens_are_refused(loaded, paths):
    adapter = loaded("llava")
    region = regions_for(adapter)
    short = dataclasses.replace(region[OWN]["referent"], flags=np.ones(3, bool))
    batch = batch_of(adapter, paths, True, regions={OWN: {"referent": short}})
    with pytest.raises(UserError, match="image tokens, but 3 positions are known"):
        batch.answers()
