"""Patients: each lesion folded into a checkpoint equals the lesion applied directly."""

import json

import numpy as np
import pyarrow as pa
import pytest
import torch
import yaml
from derived_fixture import CPU, build_registry, make, pictures, scores
from PIL import Image
from sklearn.linear_model import LogisticRegression
from tiny_models import build_llava

from eyechart.core.errors import UserError
from eyechart.core.randomness import generator
from eyechart.inference import passes, prefix_cache
from eyechart.inference.choice_tokens import script
from eyechart.models import derive_model
from eyechart.models.families.image_tokens import PreparedImage
from eyechart.models.hooks import pass_mode
from eyechart.models.load import load
from eyechart.models.spec import read_spec
from eyechart.statistics import eraser
from eyechart.tables.items import IMAGES, ITEMS
from eyechart.tables.parquet import write_table
from eyechart.tables.regions import REGIONS

COLOURS = {"red": (220, 30, 30), "green": (30, 190, 40), "blue": (40, 60, 220)}
WORDS = ["the", "cube", "colour"]
SIDE, CELL = 32, 8  # sides of an image and of a patch in pixels


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return build_registry(tmp_path_factory.mktemp("made"))


def features(adapter, shown):
    with pass_mode():
        return torch.stack([one.features for one in adapter.encode_images(shown)])


@pytest.mark.parametrize("cells", [1, 2, 4])
def test_a_patch_embedding_folded_to_a_mosaic_equals_the_base_on_mosaics(made, cells):
    how = {"by": "eyes", "settings": {"loses": "detail", "cells": cells}}
    base, derived, ready = make(made, f"mosaic{cells}", **{"from": "llava", **how})
    assert ready["changed"] == ["vision"]
    shown = [derived.prepare_image(image) for image in coloured(2).values()]
    side = CELL // cells
    coarse = [
        PreparedImage(
            {"pixel_values": torch.nn.functional.avg_pool2d(p.inputs["pixel_values"], side)
             .repeat_interleave(side, 2).repeat_interleave(side, 3)}, p.text,
        )
        for p in shown
    ]  # fmt: skip
    torch.testing.assert_close(scores(derived, shown), scores(base, coarse), rtol=0, atol=1e-5)
    assert not torch.allclose(scores(derived, shown), scores(base, shown), atol=1e-3)


@pytest.mark.parametrize(("words", "first"), [(WORDS, 0), (["red", "blue", "green"], 1)])
@pytest.mark.parametrize("tied", [False, True])
def test_a_permuted_head_gives_each_word_where_the_base_gives_the_next(made, tied, words, first):
    name = "tied" if tied else "llava"
    if tied:
        tie(made)
    how = {"by": "unsaid", "settings": {"words": words}}
    base, derived, ready = make(made, f"unsaid_{name}", **{"from": name, **how})
    assert ready["changed"] == ["rest"]
    shown = pictures(base)
    ids = [base.answer_ids(base.row("what is it?", shown[:1]), word)[first] for word in words]
    expected = scores(base, shown).clone()
    expected[:, ids] = expected[:, [*ids[1:], ids[0]]]
    torch.testing.assert_close(scores(derived, shown), expected, rtol=0, atol=1e-6)
    words = derived.model.get_input_embeddings().weight
    assert torch.equal(words, base.model.get_input_embeddings().weight)
    assert (
        base.model.get_output_embeddings().weight is base.model.get_input_embeddings().weight
    ) is tied


def tie(folder):
    """Add a base whose head shares the weights of the input embeddings."""
    checkpoint = build_llava(folder / "data" / "tied")
    spec = yaml.safe_load((folder / "llava.yaml").read_text())
    (folder / "tied.yaml").write_text(yaml.safe_dump(spec | {"checkpoint": str(checkpoint)}))
    adapter = load(read_spec(folder / "tied.yaml"), checkpoint, CPU)
    adapter.model.lm_head.weight = adapter.model.get_input_embeddings().weight
    for config in (adapter.model.config, adapter.model.config.text_config):
        config.tie_word_embeddings = True
    (checkpoint / "model.safetensors").unlink()
    adapter.model.save_pretrained(checkpoint)
    ready = json.loads((folder / "data" / "llava" / "ready.json").read_text())
    (checkpoint / "ready.json").write_text(json.dumps(ready))


def test_text_that_ignores_images_answers_the_same_and_keeps_image_tokens(made):
    base, derived, ready = make(made, "unretrieved", **{"from": "llava", "by": "unretrieved"})
    assert ready["changed"] == []
    assert not derived.spec.text_sees_images
    shown = pictures(base)
    found = scores(derived, shown)
    assert torch.equal(found[0], found[1])
    assert not torch.allclose(*scores(base, shown), atol=1e-3)
    with pass_mode():
        rows = [base.row("what is it?", [p]) for p in shown]
        states = [a.read(a.tokens(rows, a.encode_images(shown))) for a in (base, derived)]
        image = base.tokens(rows).image
    torch.testing.assert_close(states[1][image], states[0][image], rtol=0, atol=1e-5)
    assert torch.equal(states[1][0][~image[0]], states[1][1][~image[1]])


def test_a_shared_prefix_gives_the_same_answers_without_retrieval(made):
    _, derived, _ = make(made, "unretrieved", **{"from": "llava", "by": "unretrieved"})
    shown = pictures(derived)
    rows = [derived.row("what is the cube?", [p]) for p in shown]
    scripts = [script(derived, row, ["red", "the cube"], 4) for row in rows]
    with pass_mode():
        encoded = derived.encode_images(shown)
        starts = [passes.shared_prefix(derived, [row], "x") for row in rows]
        prefix, _ = passes.read_prefix(derived, starts, encoded, [])
        lines = [[(s, s.row.ids[len(starts[0].ids) :])] for s in scripts]
        packed = prefix_cache.read(derived, prefix, [0, 1], lines, 4)
        whole = derived.logits(rows, encoded, [[], []])
    assert packed[0] == packed[1]
    ids = scripts[0].choices[0]
    alone = [s[-1].log_softmax(dim=0)[ids[0]].item() for s in whole]
    if len(ids) == 1:
        np.testing.assert_allclose(packed[0][0][0], alone[0], atol=2e-5)
    assert packed[0][1][0] == int(whole[0][-1].argmax())


def coloured(count, seed=0):
    """Return images with one coloured cell, by position and colour: a concept at a known region."""
    draw = generator("patients", seed)
    found = {}
    for n in range(count):
        name = list(COLOURS)[n % len(COLOURS)]
        image = np.full((SIDE, SIDE, 3), 128, np.uint8)
        row, column = draw.integers(0, SIDE // CELL, 2) * CELL
        image[row : row + CELL, column : column + CELL] = COLOURS[name]
        image = np.clip(image + draw.normal(0, 25, image.shape), 0, 255).astype(np.uint8)
        found[n, name, int(column), int(row)] = Image.fromarray(image)
    return found


@pytest.fixture(scope="module")
def marked(tmp_path_factory):
    """Write items about the colour of a region; three quarters are training items."""
    folder = tmp_path_factory.mktemp("marked")
    items, images, regions = [], [], []
    for (n, colour, left, top), image in coloured(240).items():
        name = f"i{n:03}"
        image.save(folder / f"{name}.png")
        split = {"group_split": "test" if n % 4 == 3 else "train", "split": "train"}
        images.append(
            {"image_id": name, "path": str(folder / f"{name}.png"), "group": name, **split}
        )
        items.append(
            {"item_id": name, "images": [name], "answer": colour, "task": "color", **split}
        )
        items.append(
            {"item_id": f"{name}_one", "images": [name], "answer": "yes", "task": "one", **split}
        )
        box = {"left": left + 1, "top": top + 1, "right": left + CELL - 1, "bottom": top + CELL - 1}
        for item in (name, f"{name}_one"):
            regions.append(
                {
                    "item_id": item,
                    "seen": "canvas",
                    "image_id": name,
                    "name": "REF",
                    "shape": "box",
                    **box,
                }
            )
    for name, listed, schema in (
        ("items", items, ITEMS),
        ("images", images, IMAGES),
        ("regions", regions, REGIONS),
    ):
        rows = [{**dict.fromkeys(schema.names), **row} for row in listed]
        write_table(folder / f"{name}.parquet", pa.Table.from_pylist(rows, schema))
    names = ("items", "images", "regions")
    return [str(folder / f"{name}.parquet") for name in names]


def nerve(made, marked, name="nerve", **settings):
    how = {"dataset": "marked", "concept": "color", **settings}
    return make(made, name, marked, **{"from": "llava", "by": "nerve", "settings": how})


def training():
    return [image for (n, *_), image in coloured(240).items() if n % 4 != 3]


def cells(adapter, split):
    """Return the connector's token at each item's region, and its colour."""
    found, labels = [], []
    for (n, colour, left, top), image in coloured(240).items():
        if (n % 4 == 3) == (split == "test"):
            tokens = features(adapter, [adapter.prepare_image(image)])[0]
            found.append(tokens[top // CELL * (SIDE // CELL) + left // CELL].double().numpy())
            labels.append(colour)
    return np.array(found), np.array(labels)


def around(adapter):
    """Return the tokens of each training region: the mean, the centre and the four sides."""
    grid, found = SIDE // CELL, []
    steps = ((0, 0), (0, 0), (0, 1), (0, -1), (1, 0), (-1, 0))
    for (n, _, left, top), image in coloured(240).items():
        if n % 4 != 3:
            tokens = features(adapter, [adapter.prepare_image(image)])[0].double().numpy()
            own = tokens.reshape(grid, grid, -1)
            places = ((top // CELL + down, left // CELL + right) for down, right in steps)
            found.append([own[tuple(np.clip(place, 0, grid - 1))] for place in places])
    return np.array(found)


def test_an_eraser_folded_into_the_connector_equals_one_after_it(made, marked):
    base, derived, ready = nerve(made, marked)
    assert ready["changed"] == ["connector"]
    x, y = cells(base, "train")
    r, _ = cells(derived, "train")
    everything = [features(base, [base.prepare_image(i)])[0] for i in training()]
    covariance = np.cov(torch.cat(everything).double().numpy().T, bias=True)
    erase = eraser.fit(around(base), y, covariance)
    np.testing.assert_allclose(r, erase(x), atol=2e-5)
    shown = pictures(base)
    np.testing.assert_allclose(
        features(derived, shown).numpy(), erase(features(base, shown).numpy()), atol=2e-5
    )
    held = {a: cells(a, "test") for a in (base, derived)}
    right = {
        a: LogisticRegression(max_iter=2000).fit(*cells(a, "train")).score(*held[a])
        for a in (base, derived)
    }
    chance = 1 / len(COLOURS)
    assert right[base] > 0.9
    assert right[derived] < chance + 3 * (chance * (1 - chance) / len(y)) ** 0.5


def test_an_eraser_without_effect_is_an_error_and_samples_follow_the_seed(made, marked):
    _, first, _ = nerve(made, marked, "few", most=60)
    before = first.model.model.multi_modal_projector.linear_2.weight.clone()
    _, again, _ = nerve(made, marked, "few", most=60)
    assert torch.equal(before, again.model.model.multi_modal_projector.linear_2.weight)
    settings = {"dataset": "marked", "concept": "color", "most": 60}
    _, other, _ = make(
        made, "few", marked, **{"from": "llava", "by": "nerve", "settings": settings, "seed": 1}
    )
    assert not torch.equal(before, other.model.model.multi_modal_projector.linear_2.weight)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"by": "unsaid"}, "unsaid needs the setting 'words'"),
        ({"by": "unsaid", "settings": {"words": ["red"]}}, "expected the answers of a concept"),
        ({"by": "unsaid", "settings": {"words": ["cube", "cubes"]}}, "'cubes' and 'cube' begin"),
        ({"by": "eyes", "settings": {"loses": "colour"}}, "loses: .* did you mean 'color'"),
        ({"by": "eyes", "settings": {"loses": "detail", "cells": 3}}, "cells is 3, .* 8 pixels"),
        ({"by": "unretrieved", "settings": {"x": 1}}, "unretrieved has no setting 'x'"),
        ({"by": "unsaid", "from": "clip", "settings": {"words": WORDS}}, "unsaid needs a conn"),
        ({"by": "nerve", "settings": {"dataset": "d", "concept": "colr"}}, "did you mean 'color'"),
        ({"by": "nerve", "settings": {"dataset": "d", "concept": "one"}}, "only one class, 'yes'"),
        ({"by": "nerve", "settings": {"dataset": "d"}}, "nerve needs the setting 'concept'"),
    ],
)
def test_an_impossible_lesion_is_a_one_sentence_error_without_output(made, marked, change, message):
    with pytest.raises(UserError, match=message):
        make(made, "never", marked, **{"from": "llava", **change})
    assert not (made / "data" / "never" / derive_model.NAME).exists()
    (made / "never.yaml").unlink()


def test_a_spec_cannot_set_a_lesion_directly(made):
    own = yaml.safe_load((made / "llava.yaml").read_text()) | {"text_sees_images": False}
    (made / "hand.yaml").write_text(yaml.safe_dump(own))
    with pytest.raises(UserError, match="text_sees_images: remove the line, and derive a model by"):
        read_spec(made / "hand.yaml")
    (made / "hand.yaml").unlink()
