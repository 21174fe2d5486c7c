"""The page of a model's card shows its content, folds similar blocks, and needs no network."""

import re

import pytest
from tiny_models import build_clip, build_llava, spec

from eyechart.models.describe_model import describe
from eyechart.models.load import load
from eyechart.models.load_options import LoadOptions
from eyechart.models.sample_image import draw_sample, draw_views
from eyechart.report.sections.models import page
from eyechart.report.sections.models.sheet import folded, render


@pytest.mark.parametrize(("family", "build"), [("clip", build_clip), ("llava", build_llava)])
def test_the_page_shows_addresses_parts_and_tokens(tmp_path, family, build):
    adapter = load(spec(family, build(tmp_path)), tmp_path, LoadOptions("cpu"))
    card = describe(adapter, "tiny_<one>")
    page = render(card, b"png")
    assert "tiny_&lt;one&gt;" in page
    assert "vision.0 … vision.2" in page
    assert ("lm.0 … lm.2" in page) == (family == "llava")
    assert f"{card['parameters']:,}" in page
    assert not re.search(r"(src|href)=\"http", page)


def test_blocks_that_differ_are_not_folded():
    blocks = [
        {"address": f"lm.{i}", "width": width, "spans": ["last"]}
        for i, width in enumerate([4, 4, 8])
    ]
    lines = [(line["first"]["address"], line["last"]["address"]) for line in folded(blocks)]
    assert lines == [("lm.0", "lm.1"), ("lm.2", "lm.2")]


def test_every_image_token_is_a_cell_of_the_drawn_view(tmp_path):
    adapter = load(spec("llava", build_llava(tmp_path)), tmp_path, LoadOptions("cpu"))
    image = draw_sample()
    drawn = draw_views(adapter, image, adapter.prepare_image(image))
    red = [x for x in range(drawn.width) if drawn.getpixel((x, 5)) == (255, 60, 60)]
    assert drawn.size == (360, 360)
    assert len(red) == 3  # four by four tokens: three lines between them


def test_the_page_states_that_an_encoder_has_no_connector_or_text_tower(tmp_path):
    card = describe(load(spec("clip", build_clip(tmp_path)), tmp_path, LoadOptions("cpu")), "eye")
    assert page.describe(card)["reads"] == "vision.2" and page.describe(card)["asked"]
    assert "The connector reads" in render(card, b"png")
    alone = [line for line in card["addresses"] if line["address"] != "connector"]
    card |= {"addresses": alone, "reads_text": False}
    assert page.describe(card)["reads"] == "" and not page.describe(card)["asked"]
    sheet = render(card, b"png")
    assert "The connector reads" not in sheet
    assert "A vision encoder without a text tower, so it cannot answer questions." in sheet
