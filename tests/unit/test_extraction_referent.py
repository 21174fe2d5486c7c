"""The span referent equals the weighted mean of stored tokens, in every pass and part."""

import numpy as np
import pytest
from tiny_models import build_clip, build_dataset, build_llava, spec

from eyechart.core.errors import UserError
from eyechart.extraction.engine import Engine
from eyechart.extraction.shards import open_shard
from eyechart.inference.batches import AdaptiveBatchSize
from eyechart.inference.workload import plan_part
from eyechart.models.addresses import columns
from eyechart.models.describe_model import describe
from eyechart.models.load import load
from eyechart.models.load_options import LoadOptions
from eyechart.tables.parquet import read_table
from eyechart.tables.regions import about_image, box, point, write_regions
from eyechart.tables.token_boxes import shown_weights

ROWS = [(f"q{i}-{j}", [i], "what is it?" * (1 + j)) for i in range(3) for j in range(4)]
ROWS += [("pair", [0, 2], "which?")]
ADDRESSES = ["vision.*", "connector", "lm.*", "lm.norm"]
SPANS = ["referent", "other_object", "image_tokens", "last"]
REGIONS = {  # regions of every image, which differ by question; the last question has none
    0: [box("REF", 3, 5, 21.5, 30), point("OTHER", 40, 9)],
    1: [point("REF", 12, 33)],
    2: [box("REF", 8, 0, 16, 40), box("REF2", 20, 2, 40, 20), box("OTHER", 8, 8, 10, 10)],
}


@pytest.fixture(scope="module")
def adapter(tmp_path_factory):
    folder = build_llava(tmp_path_factory.mktemp("llava"))
    return load(spec("llava", folder), folder, LoadOptions("cpu"))


@pytest.fixture(scope="module")
def card(adapter):
    return describe(adapter, "tiny")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    found = build_dataset(folder, 3, ROWS)
    found.regions = folder / "regions.parquet"
    rows = []
    for item, images, _ in ROWS:
        number = 0 if item == "pair" else int(item[-1])
        rows += about_image(item, f"p{images[-1]:03}", REGIONS.get(number, []))
    write_regions(found.regions, rows)
    return found


class Rows(dict):
    """The emitted rows, by number and column; a row emitted twice is an error."""

    def __call__(self, numbers, values):
        for name, value in values.items():
            for number, one in zip(numbers, value, strict=True):
                assert (number, name) not in self
                self[number, name] = np.asarray(one)


def run(adapter, card, part, *, batch_size=4, addresses=ADDRESSES, spans=SPANS):
    asked = [columns(card, addresses, spans, scope) for scope in ("image", "item")]
    image, item = Rows(), Rows()
    engine = Engine(adapter, card["shares_prefix"], *asked, AdaptiveBatchSize(batch_size))
    list(engine.run(part, image, item))
    assert not engine.kept
    return image, item


def plan(data, part=(0, 1), **more):
    return plan_part(data.items, data.images, *part, "{question}", data.regions, **more)


def joint(card):
    """Return the card of a model that runs every prompt in full."""
    places = [
        {**a, "scopes": dict.fromkeys(a["scopes"], "item")} if a["region"] == "lm" else a
        for a in card["addresses"]
    ]
    return {**card, "shares_prefix": False, "addresses": places}


def names_of(card, spans=("referent", "other_object")):
    return [c for c in columns(card, ADDRESSES, spans, "item") if c.regional]


def compare(adapter, card, part, image, item, whole):
    """Compare every row with the mean of stored tokens; return the number of rows."""
    compared = 0
    for question in part.questions:
        for column in names_of(card):
            stage, tokens = column.address.component, f"{column.address.address}/image_tokens"
            value = item[question.row, column.name]
            if column.span not in question.regions:
                assert np.isnan(value).all()
                continue
            shown, regions = question.regions[column.span]
            own = [shown] if stage != "lm" else question.images
            sizes = {"p000": (48, 40), "p001": (48, 41), "p002": (48, 42)}
            places = [adapter.token_boxes(sizes[i], stage, len(own)) for i in own]
            weights = [
                shown_weights(p, regions) * (i == shown) for p, i in zip(places, own, strict=True)
            ]
            everything = (
                whole[question.row, tokens]
                if stage == "lm"
                else image[part.images.index(shown), tokens]
            )
            expected = np.concatenate(weights) @ everything
            np.testing.assert_allclose(value, expected, rtol=0, atol=1e-5)
            compared += 1
    return compared


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_a_referent_is_the_weighted_mean_of_stored_tokens(adapter, card, data, batch_size):
    part = plan(data)
    image, item = run(adapter, card, part, batch_size=batch_size)
    whole = run(adapter, joint(card), part, spans=["image_tokens"])[1]
    assert compare(adapter, card, part, image, item, whole) == 8 * (10 + 7)


def test_shared_prefixes_and_full_prompts_give_the_same_referents(adapter, card, data):
    shared = run(adapter, card, plan(data), spans=["referent", "other_object"])[1]
    apart = run(adapter, joint(card), plan(data), spans=["referent", "other_object"])[1]
    assert shared.keys() == apart.keys()
    for key, value in shared.items():
        np.testing.assert_allclose(value, apart[key], rtol=0, atol=1e-5)


@pytest.mark.parametrize("addresses", [["vision.*"], ["connector", "lm.1"], ADDRESSES])
def test_parts_and_subsets_of_addresses_hold_the_same_rows(adapter, card, data, addresses):
    spans = ["referent", "other_object"]
    everything = plan(data).items
    whole = run(adapter, card, plan(data), spans=spans)[1]
    found = {}
    for number in range(2):
        part = plan(data, (number, 2))
        rows = run(adapter, card, part, addresses=addresses, spans=spans)[1]
        found |= {(part.items[row], name): value for (row, name), value in rows.items()}
    asked = {c.name for c in columns(card, addresses, spans, "item")}
    assert {name for _, name in found} == asked
    assert {item for item, _ in found} == set(everything)
    for (item, name), value in found.items():
        np.testing.assert_allclose(value, whole[everything.index(item), name], atol=1e-5)


def test_an_encoder_alone_has_referents_too(tmp_path, data):
    folder = build_clip(tmp_path)
    encoder = load(spec("clip", folder), folder, LoadOptions("cpu"))
    card = describe(encoder, "eye")
    part = plan(data, encoder=True)
    image, item = run(encoder, card, part, addresses=["vision.*"])
    assert compare(encoder, card, part, image, item, {}) == 3 * (10 + 7)
    assert len({row for row, _ in item}) == len(ROWS)


def test_rows_without_a_region_are_null_and_other_columns_must_be_numbers(tmp_path, card):
    (last, referent) = (c for c in columns(card, ["lm.1"], ["last", "referent"], "item"))
    values = np.full((2, referent.address.width), np.nan, np.float32)
    values[1] = 1
    path = tmp_path / "part.parquet"
    with open_shard(path, ["a", "b"], [referent], "float16", {"scope": "item"}) as shard:
        shard.add([0, 1], {referent.name: values})
    assert read_table(path)[referent.name].null_count == 1
    values[1, 0] = np.nan
    for column in (last, referent):  # a vector that is partly NaN is a fault
        with (
            pytest.raises(UserError, match=r"NaN in the activations of '[ab]'"),
            open_shard(path, ["a", "b"], [column], "float16", {"scope": "item"}) as shard,
        ):
            shard.add([0, 1], {column.name: values})


BAD = {
    "no item": ("elsewhere", "p000", box("REF", 1, 1, 9, 9), "item 'elsewhere' is not in .*items"),
    "outside": (
        "q0-0",
        "p000",
        point("REF", 48, 9),
        r"point REF at \(48, 9\) does not lie on p000",
    ),
    "beyond": ("q0-0", "p000", box("REF", 40, 9, 49, 20), r"box REF at .* does not lie on p000"),
    "no area": (
        "q0-0",
        "p000",
        box("REF", 5, 9, 5, 20),
        r"box REF at \(5, 9, 5, 20\) has no area on",
    ),
    "other image": ("q0-0", "p001", box("REF", 1, 1, 9, 9), "'p001', which is not its image"),
}


@pytest.mark.parametrize(("item", "image", "region", "said"), BAD.values(), ids=BAD)
def test_a_region_that_does_not_fit_is_a_one_sentence_error(
    data, tmp_path, item, image, region, said
):
    write_regions(tmp_path / "regions.parquet", about_image(item, image, [region]))
    with pytest.raises(UserError, match=said):
        plan_part(data.items, data.images, 0, 1, "{question}", tmp_path / "regions.parquet")


def test_a_model_with_a_wrong_number_of_tokens_is_refused(adapter, card, data, monkeypatch):
    boxes = type(adapter).token_boxes
    monkeypatch.setattr(type(adapter), "token_boxes", lambda self, *of: boxes(self, *of)[1:])
    with pytest.raises(UserError, match=r"vision\.0 has 16 image tokens, but 15 positions"):
        run(adapter, card, plan(data), spans=["referent"])
