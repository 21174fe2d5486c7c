"""Attention cuts in a tiny LLaVA: the remaining attention, and refusals."""

import pytest
import torch
from PIL import Image
from tiny_models import build_llava, spec

from eyechart.core.errors import UserError
from eyechart.models.hooks import pass_mode
from eyechart.models.knockout import cut_attention, pairs
from eyechart.models.load import load
from eyechart.models.load_options import LoadOptions


@pytest.fixture(scope="module", params=["eager", "sdpa"])
def llava(tmp_path_factory, request):
    folder = build_llava(tmp_path_factory.mktemp("llava"))
    return load(spec("llava", folder), folder, LoadOptions("cpu", attention=request.param))


def scores(adapter, image, question="what is it?"):
    shown = adapter.prepare_image(image)
    with pass_mode():
        row = adapter.row(question, [shown])
        return adapter.logits([row], adapter.encode_images([shown]), [[]])[0][-1]


def masks(adapter, question="what is it?"):
    shown = adapter.prepare_image(Image.new("RGB", (40, 40)))
    with pass_mode():
        return adapter.tokens([adapter.row(question, [shown])], adapter.encode_images([shown]))


def test_the_answer_ignores_images_cut_from_all_later_tokens(llava):
    images = Image.new("RGB", (40, 40), "red"), Image.linear_gradient("L").convert("RGB")
    assert not torch.equal(*(scores(llava, image) for image in images))
    tokens = masks(llava)
    cut = pairs(tokens.valid & ~tokens.image, tokens.image)
    blocks = [a for a in llava.addresses() if a.startswith("lm.") and a != "lm.norm"]
    with cut_attention(llava, dict.fromkeys(blocks, cut)):
        blind = [scores(llava, image) for image in images]
    assert torch.equal(*blind)


def test_cutting_the_last_token_in_the_last_block_equals_a_mask_row(llava):
    image = Image.linear_gradient("L").convert("RGB")
    tokens = masks(llava)
    length = tokens.ids.shape[1]
    sees = torch.ones(length, length, dtype=torch.bool).tril()[None]
    cut = torch.zeros_like(sees)
    cut[0, -1, tokens.image[0]] = True
    shown = llava.prepare_image(image)
    with pass_mode():
        tokens = llava.tokens([llava.row("what is it?", [shown])], llava.encode_images([shown]))
        expected = llava.read(tokens, sees=sees & ~cut)[0, -1]
        blocks = [f"lm.{i}" for i in range(3)]
        with cut_attention(llava, dict.fromkeys(blocks, cut)):
            found = llava.read(tokens)[0, -1]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("address", "shape", "message"),
    [
        ("lm.9", (1, 1, 1), r"no address 'lm\.9'; did you mean 'lm\."),
        ("vision.0", (1, 1, 1), "vision.0: attention can only be cut in blocks of"),
        ("lm.norm", (1, 1, 1), "lm.norm: attention can only be cut in blocks"),
        ("lm.1", (1, 1, 7), "lm.1: the cut has 1 queries, but the pass has"),
    ],
)
def test_an_impossible_cut_is_a_one_sentence_error_and_leaves_no_hook(
    llava, address, shape, message
):
    with (
        pytest.raises(UserError, match=message),
        cut_attention(llava, {"lm.1": torch.ones(shape) > 0, address: torch.ones(shape) > 0}),
    ):
        scores(llava, Image.new("RGB", (40, 40)))
    assert not any(m._forward_pre_hooks for m in llava.model.modules())


def test_a_query_must_keep_a_key(llava):
    length = masks(llava).ids.shape[1]
    cut = torch.zeros(1, length, length, dtype=torch.bool)
    cut[0, 0] = True
    with (
        pytest.raises(UserError, match="leaves a query without any key"),
        cut_attention(llava, {"lm.1": cut}),
    ):
        scores(llava, Image.new("RGB", (40, 40)))
