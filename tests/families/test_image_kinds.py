"""For every format, a model gets the pixels that its own processor computes from the file."""

import image_kinds
import pytest
from image_kinds import DIFFERENT, SAME
from PIL import Image
from zoo import FAMILIES

from eyechart.data.open_image import open_image

# Their processors do not convert images, and fail or give wrong pixels if one is not RGB
UNCONVERTED = {"janus", "vit_mae", "vit_mae_pretraining", "vit_classifier"}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kinds")
    return {kind: image_kinds.save(kind, folder) for kind in (*SAME, *DIFFERENT)}


@pytest.fixture(scope="module", params=list(FAMILIES))
def name(request):
    return request.param


def processor_of(adapter):
    return getattr(adapter.processor, "image_processor", adapter.processor)


def own_pixels(adapter, image):
    """Return the output of the family's own processor for an image or a path."""
    shown = [[image]] if adapter.spec.family == "mllama" else [image]
    return processor_of(adapter)(images=shown, return_tensors="pt")[adapter.PIXELS]


def our_pixels(adapter, path):
    return adapter.prepare_image(open_image(path)).inputs[adapter.PIXELS]


def difference(ours, own):
    assert ours.numel() == own.numel()
    return float((ours.flatten().double() - own.flatten().double()).abs().max())


def test_every_format_gives_the_processors_own_pixels(loaded, name, files):
    adapter = loaded(name)
    assert bool(getattr(processor_of(adapter), "do_convert_rgb", None)) != (name in UNCONVERTED)
    seen = set()
    for kind in SAME:
        with Image.open(files[kind]) as image:
            if name in UNCONVERTED and image.has_transparency_data:
                continue  # tested below
            shown = image.convert("RGB") if name in UNCONVERTED else image
            own = own_pixels(adapter, shown)
        ours = our_pixels(adapter, files[kind])
        assert difference(ours, own) <= 1e-6, kind
        seen.add(ours.double().mean().item())
    assert len(seen) > 5  # the files differ


def test_only_documented_differences_occur(loaded, name, files):
    """EXIF rotation, more than 8 bits, and transparency if the processor does not convert it."""
    adapter = loaded(name)
    for kind, (*_, shown) in DIFFERENT.items():
        with Image.open(files[kind]) as image:
            own = own_pixels(adapter, shown(image))
        assert difference(our_pixels(adapter, files[kind]), own) <= 1e-6, kind
    if name in UNCONVERTED:
        for kind in ("alpha", "grey alpha", "clear palette", "one clear colour"):
            white = Image.new("RGBA", image_kinds.SIZE, "white")
            with Image.open(files[kind]) as image:
                white.alpha_composite(image.convert("RGBA"))
            own = own_pixels(adapter, white.convert("RGB"))
            assert difference(our_pixels(adapter, files[kind]), own) <= 1e-6, kind
