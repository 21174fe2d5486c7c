"""A lesion is folded exactly into every family, or refused with a list of valid families."""

import pytest
import torch
from in_memory import pixels
from PIL import ImageOps
from zoo import FAMILIES

from eyechart.core.errors import UserError
from eyechart.models.derivations import eyes, prior, unretrieved
from eyechart.models.hooks import pass_mode
from eyechart.models.load import load
from eyechart.models.load_options import LoadOptions

# from PaliGemma's processor
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

LANGUAGE = [name for name, case in FAMILIES.items() if case.kind == "vlm"]
REFUSED = {  # lesions that cannot be folded into families without torchvision, with the reason
    (prior, "mixture_interleaved"): "input still depends on the image, unlike that of llava",
    (prior, "instructblip"): "also reads the question, .* those of llava and llava_next read",
    (prior, "gemma3"): "does not end in a linear layer with a bias, unlike those of llava",
}


@pytest.fixture
def own(checkpoint):
    """Return a function that loads a family for only this test, since its weights change."""

    def loaded(name):
        adapter = load(FAMILIES[name].spec, checkpoint(name), LoadOptions("cpu"))
        for key, parameter in adapter.model.named_parameters():
            if key.endswith("_gate"):  # Mllama's gates, which are closed before training
                parameter.data.fill_(1)
        return adapter

    return loaded


def logits(adapter):
    """Return next-token logits of a question about two images of equal size, (2, words)."""
    first = pixels(1)[0]
    with pass_mode():
        shown = [adapter.prepare_image(image) for image in (first, ImageOps.invert(first))]
        rows = [adapter.row("what is it ?", [image]) for image in shown]
        return torch.stack(
            [own[-1] for own in adapter.logits(rows, adapter.encode_images(shown), [[], []])]
        )


@pytest.mark.parametrize("rule", [prior, unretrieved], ids=["prior", "unretrieved"])
@pytest.mark.parametrize("name", LANGUAGE)
def test_a_patients_answer_ignores_the_image_or_the_lesion_is_refused(name, rule, own):
    adapter = own(name)
    before = logits(adapter)
    assert not torch.equal(before[0], before[1])
    try:
        rule.derive(adapter, {}, 0)
    except UserError as error:
        assert f"family {adapter.spec.family}" in str(error)
        assert "llava" in str(error)
        assert rule is unretrieved or FAMILIES[name].torchvision or (rule, name) in REFUSED
    else:
        assert (rule, name) not in REFUSED
        after = logits(adapter)
        torch.testing.assert_close(after[0], after[1], rtol=0, atol=1e-5)


@pytest.mark.parametrize(("rule", "name"), REFUSED)
def test_an_impossible_lesion_gives_the_reason_and_the_valid_families(rule, name, own):
    with pytest.raises(UserError, match=REFUSED[rule, name]):
        rule.derive(own(name), {}, 0)


@pytest.mark.parametrize("name", ["mixture"])
def test_a_lesion_in_one_of_several_encoders_is_refused(name, own):
    with pytest.raises(UserError, match=r"eyes needs one vision encoder, .* mixture has several"):
        eyes.derive(own(name), {}, 0)
