"""Every family: outputs are replaced, attention is cut, gradients exist, or a reason is given."""

import pytest
import torch
from image_hooks import keep_gradients, of_images
from in_memory import pixels
from zoo import FAMILIES

from eyechart.core.errors import UserError
from eyechart.models.families.language import LanguageAdapter
from eyechart.models.hooks import (
    at,
    edit_outputs,
    pass_mode,
    read_outputs,
    replace_tensor,
    tensor_of,
)
from eyechart.models.knockout import cut_attention, pairs

# from PaliGemma's processor
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

CASES = sorted(FAMILIES)
READERS = sorted(name for name, case in FAMILIES.items() if case.kind == "vlm")
PROMPT = "what is it ?"
UNCUT = {  # blocks whose attention cannot be cut, with the reason
    "mllama": (
        ("lm.1",),
        r"attends to the image by cross-attention, and no token .* represents it",
    ),
    "minicpmv4_6": (("lm.0",), "is recurrent, so there is no attention to cut"),
}


@pytest.fixture
def loaded(loaded):
    """Return models whose cross-attention is open; Mllama's gates are initially closed."""
    opened = []

    def get(name, **loading):
        adapter = loaded(name, **loading)
        for key, gate in adapter.model.named_parameters():
            if key.endswith(("cross_attn_attn_gate", "cross_attn_mlp_gate")):
                opened.append((gate, gate.detach().clone()))
                gate.data.fill_(0.5)
        return adapter

    yield get
    for gate, before in reversed(opened):
        gate.data.copy_(before)


def run(adapter, gradients=False):
    """Return a model's output for two images: next-token scores, or an encoder's last output."""
    count = 1 if adapter.MAX_IMAGES_PER_PASS == 1 else 2
    images = [adapter.prepare_image(image) for image in pixels(count)]
    with pass_mode(gradients):
        if isinstance(adapter, LanguageAdapter):
            rows = [adapter.row(PROMPT, [image]) for image in images]
            found = adapter.logits(rows, adapter.encode_images(images), [[]] * count)
            return torch.stack([scores[-1] for scores in found])
        found = {}
        last = list(adapter.addresses().values())[-1]
        with read_outputs(adapter.model, [last], found.__setitem__, stop=False):
            adapter.encode_images(images)
        return found[last]


def answering(adapter):
    """Return the path of the first block that the answer depends on, and the addresses of all."""
    names = adapter.addresses()
    return names, [a for a in names if a.startswith("lm.") and a != "lm.norm"]


def hooks(adapter):
    modules = list(adapter.model.modules())
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in modules)


@pytest.mark.parametrize("name", CASES)
def test_an_identity_edit_has_no_effect(name, loaded):
    adapter = loaded(name)
    plain, ran = run(adapter), []
    before = hooks(adapter)

    def edit(path):
        def same(hidden):
            ran.append(path)
            return hidden.clone()

        return same

    paths = adapter.addresses().values()
    with edit_outputs(adapter.model, {path: edit(path) for path in paths}):
        assert torch.equal(run(adapter), plain)
    assert set(ran) == set(paths)
    assert hooks(adapter) == before


@pytest.mark.parametrize("name", CASES)
def test_a_zeroed_output_equals_a_zero_module(name, loaded):
    adapter = loaded(name)
    plain = run(adapter)
    for address in ("vision.1", "lm.0"):
        if address not in adapter.addresses():
            continue
        path = adapter.addresses()[address]
        with edit_outputs(adapter.model, {path: torch.zeros_like}):
            edited = run(adapter)
        assert torch.equal(edited, replaced_by_zeros(adapter, path))
        assert not torch.equal(edited, plain)
    assert torch.equal(run(adapter), plain)


def replaced_by_zeros(adapter, path):
    module = adapter.model.get_submodule(path)
    original = module.forward

    def forward(*inputs, **named):
        output = original(*inputs, **named)
        return replace_tensor(output, 0 * tensor_of(path, output))

    module.forward = forward
    try:
        return run(adapter)
    finally:
        module.forward = original


@pytest.mark.parametrize("name", CASES)
def test_editing_one_images_tokens_leaves_the_others_unchanged(name, loaded):
    adapter = loaded(name)
    images = [adapter.prepare_image(image) for image in pixels(2)]
    if adapter.MAX_IMAGES_PER_PASS == 1:
        images = images[:1]
    path = adapter.addresses()["vision.1"]
    found = {}

    def laid(edits):
        with (
            pass_mode(),
            edit_outputs(adapter.model, edits),
            read_outputs(adapter.model, [path], found.__setitem__, stop=True),
        ):
            adapter.encode_images(images)
        return adapter.layout("vision", found[path], images)

    plain, masks = laid({})
    second = masks["image_tokens"].clone()
    second[0] = len(images) == 1
    where = of_images(adapter, "vision", images, second)
    edited, _ = laid({path: at(where, torch.zeros_like)})
    kept = masks["image_tokens"] & ~second
    assert not edited[second].any()
    assert plain[second].any()
    assert torch.equal(edited[kept], plain[kept])


@pytest.mark.parametrize("how", ["eager", "sdpa"])
@pytest.mark.parametrize("name", READERS)
def test_all_image_tokens_can_be_cut_or_a_reason_is_given(name, how, loaded):
    adapter = loaded(name, attention=how)
    names, blocks = answering(adapter)
    blocks = [a for a in names if a.startswith("decoder.") and a[8:].isdigit()] or blocks
    uncut, why = UNCUT.get(name, ((), ""))
    for address in uncut:
        with (
            pytest.raises(UserError, match=rf"{address}: .*{why}"),
            cut_attention(adapter, {address: torch.zeros(1, 1, 1)}),
        ):
            pass
    blocks = [a for a in blocks if a not in uncut]
    image, valid = prompt_masks(adapter)
    if name == "mllama":  # images have no tokens
        assert not image.any()
        return
    last = valid & (valid.cumsum(1) == valid.sum(1, keepdim=True))
    queries = last if blocks[0].startswith("lm.") else torch.ones(len(valid), 1, dtype=torch.bool)
    cut = pairs(queries, image)
    plain = weights(adapter, blocks[0], cut, {})
    nothing = weights(adapter, blocks[0], cut, {a: torch.zeros_like(cut) for a in blocks})
    torch.testing.assert_close(nothing[0], plain[0], rtol=0, atol=1e-6)
    scores, held = weights(adapter, blocks[0], cut, dict.fromkeys(blocks, cut))
    assert not torch.equal(scores, plain[0])
    if how == "eager":
        assert (plain[1] > 0).any()  # some are outside the attention window
        assert (held == 0).all()
        eager[name] = scores
    elif name in eager:
        torch.testing.assert_close(scores, eager[name], rtol=0, atol=1e-4)


eager = {}


def prompt_masks(adapter):
    images = [
        adapter.prepare_image(image)
        for image in pixels(1 if adapter.MAX_IMAGES_PER_PASS == 1 else 2)
    ]
    with pass_mode():
        rows = [adapter.row(PROMPT, [image]) for image in images]
        tokens = adapter.tokens(rows, adapter.encode_images(images))
    return tokens.image, tokens.valid


def weights(adapter, address, cut, cuts):
    """Return next-token scores, and the attention on the cut tokens in one block."""
    held = []
    path = adapter.module_path(address)

    def keep(module, inputs, output):
        for part in output if isinstance(output, tuple) else ():
            shape = getattr(part, "shape", ())
            if len(shape) == 4 and (shape[0], *shape[2:]) == tuple(cut.shape):
                held.append(part.transpose(0, 1)[:, cut])

    block = adapter.model.get_submodule(path)
    handles = [m.register_forward_hook(keep) for n, m in block.named_modules() if n]
    try:
        with cut_attention(adapter, cuts):
            scores = run(adapter)
    finally:
        for handle in handles:
            handle.remove()
    return scores, held[-1] if held else None


@pytest.mark.parametrize("name", CASES)
def test_gradients_reach_the_image_and_match_finite_differences(name, loaded):
    adapter = loaded(name, dtype="float64")
    address = "connector" if name in READERS else "vision.0"
    path = adapter.addresses()[address]
    run(adapter)  # values cached in inference mode must not be used
    with keep_gradients(adapter.model, [path]) as kept:
        scores = run(adapter, gradients=True)
        torch.manual_seed(1)
        along = torch.randn_like(scores)
        (scores * along).sum().backward()
    gradient = kept[path].grad
    assert all(p.grad is None and not p.requires_grad for p in adapter.model.parameters())
    assert torch.count_nonzero(gradient)
    step = gradient / gradient.norm() * 1e-3 * kept[path].detach().norm() / 10
    with edit_outputs(adapter.model, {path: lambda hidden: hidden + step}):
        up = (run(adapter) * along).sum()
    with edit_outputs(adapter.model, {path: lambda hidden: hidden - step}):
        down = (run(adapter) * along).sum()
    expected = 2 * (gradient * step).sum()
    torch.testing.assert_close(up - down, expected, rtol=1e-2, atol=0)


@pytest.mark.parametrize("name", CASES)
def test_hooks_are_removed_after_an_exception(name, loaded):
    adapter = loaded(name)
    path = list(adapter.addresses().values())[-1]
    run(adapter)  # transformers registers its own hooks in the first pass
    before = hooks(adapter)

    def fails(hidden):
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"), edit_outputs(adapter.model, {path: fails}):
        run(adapter)
    if name in READERS:
        address = next(a for a in answering(adapter)[1] if a not in UNCUT.get(name, ((),))[0])
        with (
            pytest.raises(UserError, match=r"the cut has 1 queries, but the pass has"),
            cut_attention(adapter, {address: torch.ones(1, 1, 2, dtype=torch.bool)}),
        ):
            run(adapter)
    assert hooks(adapter) == before
