"""Every family: the connector reads only the vision outputs that its card lists."""

from itertools import cycle

import pytest
import torch
from in_memory import pixels
from zoo import FAMILIES

from eyechart.core.address import CONNECTOR, VISION, component
from eyechart.models.hooks import attached, edit_outputs, pass_mode, read_outputs, tensor_of

# from PaliGemma's processor
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

CASES = sorted(name for name, case in FAMILIES.items() if case.connector is not None)


def handed_on(adapter, images, edits):
    """Return all inputs that a language model gets from images, or the connector's output."""
    found = {}
    with pass_mode(), edit_outputs(adapter.model, edits):
        if adapter.spec.kind == "vlm":
            encoded = adapter.encode_images(images)
            if encoded[0].features is not None:
                return torch.cat([t.flatten().float() for e in encoded for t in tensors(e)])
            row = adapter.row("what is it ?", images)  # the connector also reads the question
            return adapter.logits([row], encoded, [[]])[0].flatten()
        path = adapter.module_path(CONNECTOR)
        with read_outputs(adapter.model, [path], found.__setitem__, stop=False):
            adapter.encode_images(images)
    return found[path].flatten().float()


def tensors(encoded):
    """Yield an encoded image's float tensors: its features and any deepstack features."""
    queue = [encoded.features, *encoded.more.values()]
    while queue:
        one = queue.pop(0)
        if isinstance(one, (list, tuple)):
            queue += one
        elif isinstance(one, torch.Tensor) and one.is_floating_point():
            yield one


def recorded(adapter, images, paths):
    """Return the outputs of modules, as one list per run in order."""
    found = {path: [] for path in paths}

    def keep(path):
        return lambda module, inputs, output: found[path].append(tensor_of(path, output).clone())

    with pass_mode(), attached(adapter.model, {path: keep(path) for path in paths}):
        adapter.encode_images(images)
    return found


def played(outputs):
    """Return an edit that replaces each output of a module with the recorded one."""
    runs = cycle(outputs)
    return lambda hidden: next(runs)


def wrecked(hidden):
    noise = torch.randn(hidden.shape, generator=torch.Generator().manual_seed(1))
    return noise * hidden.float().std() + hidden.float().mean()


@pytest.mark.parametrize("name", CASES)
def test_only_outputs_listed_as_read_change_the_connector(name, loaded):
    adapter = loaded(name)
    images = [adapter.prepare_image(image) for image in pixels(1)]
    vision = {a: p for a, p in adapter.addresses().items() if component(a) == VISION}
    reads = adapter.reads()
    assert reads == [a for a in vision if a in reads] and reads
    plain = handed_on(adapter, images, {})
    clean = recorded(adapter, images, vision.values())
    for address, path in vision.items():
        # all other blocks return their recorded outputs, so only a direct reader is affected
        edits = {p: played(clean[p]) for p in vision.values() if p != path}
        changed = handed_on(adapter, images, edits | {path: wrecked})
        difference = (changed - plain).abs().max().item()
        assert (difference > 1e-3) == (address in reads), (address, reads, difference)
        assert difference <= 1e-6 or address in reads


@pytest.mark.parametrize("name", CASES)
def test_blocks_after_the_last_one_read_have_no_effect(name, loaded):
    adapter = loaded(name)
    images = [adapter.prepare_image(image) for image in pixels(1)]
    vision = [a for a in adapter.addresses() if component(a) == VISION]
    later = vision[vision.index(adapter.reads()[-1]) + 1 :]
    edits = {adapter.module_path(a): wrecked for a in later}
    plain, changed = (handed_on(adapter, images, e) for e in ({}, edits))
    assert (changed - plain).abs().max() <= 1e-6
    last = adapter.module_path(adapter.reads()[-1])
    assert (handed_on(adapter, images, {last: wrecked}) - plain).abs().max() > 1e-3


@pytest.mark.parametrize("name", ["mllama", "molmo2", "qwen3_vl"])
def test_several_blocks_are_read_if_the_configuration_lists_them(name, loaded):
    assert len(loaded(name).reads()) > 1


@pytest.mark.parametrize("name", ["llava"])
@pytest.mark.parametrize(
    ("layer", "expected"),
    [(-2, ["vision.1"]), (3, ["vision.2"]), ([1, -1], ["vision.0", "vision.2"]), (0, [])],
)
def test_the_configuration_counts_hidden_states_from_the_embedding(
    name, layer, expected, loaded, monkeypatch
):
    adapter = loaded(name)
    monkeypatch.setattr(adapter.model.config, "vision_feature_layer", layer)
    assert adapter.reads() == expected


@pytest.mark.parametrize("name", ["clip", "llava", "qwen3_vl"])
def test_the_card_lists_the_outputs_that_are_read(name, loaded, cards):
    assert cards(name)["reads"] == loaded(name).reads()
