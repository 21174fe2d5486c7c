"""Mixtures of two encoders equal a manual forward pass, or a single encoder at share 0 or 1."""

import pytest
import torch
from in_memory import pixels
from torch.nn import functional as F
from zoo_mixture import SCALES, mixture

from eyechart.core.errors import UserError
from eyechart.models.derivations import eyes
from eyechart.models.mixture import Mixture, MixtureConfig


def built(**how):
    torch.manual_seed(0)
    return mixture(**how)[0].eval()


def alone(model, number):
    """Return a copy of a model with only one of its two encoders."""
    config = model.config.to_dict() | {"mix": None}
    vision = config["vision_config"]
    for name in ("towers", "layers", "scales"):
        vision[name] = vision[name][number : number + 1]
    config["vision_config"] = vision | {"hidden_size": 32}
    found = Mixture(MixtureConfig(**config)).eval()
    own, other = f"towers.{number}.", f"towers.{1 - number}."
    weights = {k: v for k, v in model.state_dict().items() if other not in k}
    found.load_state_dict({k.replace(own, "towers.0."): v for k, v in weights.items()})
    return found


def towers_by_hand(model, image):
    """Return the patch tokens read from each encoder for pixels (b, 3, 32, 32)."""
    clip, dino = model.model.vision_tower.towers
    (m, s), (mean, std) = ([torch.tensor(v)[:, None, None] for v in scale] for scale in SCALES)
    other = F.interpolate((image * s + m - mean) / std, (16, 16), mode="bicubic", antialias=True)
    first = clip(image, output_hidden_states=True).hidden_states[-2][:, 1:]
    second = dino(other, output_hidden_states=True).hidden_states[-1][:, 1:]
    return first, second


def mapped(part, tokens):
    hidden = F.gelu(tokens @ part.linear_1.weight.T + part.linear_1.bias)
    return hidden @ part.linear_2.weight.T + part.linear_2.bias


@pytest.fixture
def image():
    return torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(4))


def features(model, image):
    with torch.inference_mode():
        return torch.stack(model.model.get_image_features(image).pooler_output)


@pytest.mark.parametrize("share", [0.25, 0.875])
def test_additive_mixing_weights_tokens_before_one_connector(image, share):
    model = built(share=share)
    with torch.inference_mode():
        first, second = towers_by_hand(model, image)
        (part,) = model.model.multi_modal_projector.parts
        expected = mapped(part, (1 - share) * first + share * second)
    assert torch.allclose(features(model, image), expected, atol=1e-6)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_mixture_with_share_0_or_1_is_bit_identical_to_one_encoder(image, share):
    model = built(share=share, alike=True)
    single = alone(model, int(share))
    assert torch.equal(features(model, image), features(single, image))
    mixed = built(share=0.5, alike=True)
    assert not torch.equal(features(mixed, image), features(single, image))


def test_interleaving_alternates_the_encoders_tokens(image):
    model = built(mix="interleaved")
    found = features(model, image)
    with torch.inference_mode():
        towers = towers_by_hand(model, image)
        parts = model.model.multi_modal_projector.parts
        expected = [mapped(part, tower) for part, tower in zip(parts, towers, strict=True)]
    assert found.shape[1] == 32
    for i in range(16):
        assert torch.allclose(found[:, 2 * i], expected[0][:, i], atol=1e-6)
        assert torch.allclose(found[:, 2 * i + 1], expected[1][:, i], atol=1e-6)


def test_interleaved_tokens_have_their_patches_positions_and_queries_none(loaded):
    (image,) = pixels(1)
    single, double = (loaded(n) for n in ("mixture", "mixture_interleaved"))
    size = image.size
    plain, both = (a.token_boxes(size, "lm") for a in (single, double))
    assert (both[0::2] == plain).all() and (both[1::2] == plain).all()
    assert single.reads() == double.reads() == ["vision.1", "vision.4"]
    queries = loaded("mixture_attention").token_boxes(size, "lm")
    assert queries.shape[0] == 6 and (queries[:, 1:3] == -1).all()


def test_an_eyes_lesion_in_only_one_of_two_encoders_is_refused(loaded):
    with pytest.raises(UserError, match="needs one vision encoder"):
        eyes.derive(loaded("mixture"), {}, 0)
