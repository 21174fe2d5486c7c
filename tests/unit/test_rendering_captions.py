"""Captions of rendered scenes: true references, unchanged other questions, meaningful scores."""

import json
from pathlib import Path

import polars as pl
import pytest
from clevr_fixture import make_clevr, make_receipt, read, write
from fake_answers import answer, item, references, score
from tokenizers import Tokenizer

from eyechart.core import randomness
from eyechart.core.errors import UserError
from eyechart.data.layouts.clevr import prepare as clevr_prepare
from eyechart.rendering.datasets.clevr import captions
from eyechart.rendering.datasets.clevr.write import questions_json
from eyechart.rendering.language.questions import phrase
from eyechart.rendering.scene.clevr import draw_plan
from eyechart.rendering.scene.vocabulary import ATTRIBUTES

ROOT = Path(__file__).resolve().parents[2]
PLAN = {
    "objects": [1, 3],
    "extent": 1.3,
    "gap": 0.05,
    "light_jitter": 1.0,
    "camera": {"position": [0, -9, 6], "target": [0, 0, 0.3], "fov": 24, "jitter": 0.3},
}
SETTINGS = {"families": ["query", "count"], "balance": True, "questions": {"color": 1, "number": 1}}


def scenes(count):
    return [draw_plan(randomness.generator("captions", i), PLAN) for i in range(count)]


def described(obj, *without):
    return f"a {phrase({a: obj[a] for a in ATTRIBUTES if a not in without})}"


def test_references_list_every_object_starting_nearest_or_farthest():
    for scene in scenes(30):
        found = captions.references(scene)
        assert len(set(found)) == len(found) >= 3
        place = {described(o): n for n, o in enumerate(scene["objects"])}
        if len(place) < len(scene["objects"]):
            continue  # two objects have the same description
        order = [place[part] for part in found[0].split(" and ")]
        assert sorted(order) == list(range(len(scene["objects"])))
        for n, near in enumerate(order):
            in_front = scene["relationships"]["front"][near]
            assert not {*order[n + 1 :]} & {*in_front}, "a later object is in front of it"
        told = [[described(scene["objects"][n], left) for n in order] for left in captions.OMITTED]
        expected = {" and ".join(parts) for own in told for parts in (own, own[::-1])}
        assert {*found} == expected


def test_a_mirrored_scene_has_the_same_references():
    for scene in scenes(10):
        flipped = json.loads(json.dumps(scene))
        places = [o["3d_coords"] for o in flipped["objects"]]
        for vector in [*places, *flipped["directions"].values()]:
            vector[0] = -vector[0]
        assert captions.references(flipped) == captions.references(scene)


def test_every_word_is_one_token_of_the_tiny_language_model():
    tokenizer = Tokenizer.from_file(str(ROOT / "data/weights/tiny_llava_aligned/tokenizer.json"))
    for scene in scenes(40):
        for text in captions.references(scene):
            assert len(tokenizer.encode(f" {text}").ids) == len(text.split())
    assert tokenizer.encode(f" {captions.QUESTION}").tokens[-1] == "?"
    assert len(tokenizer.encode(f" {captions.QUESTION}").ids) == len(captions.QUESTION.split()) + 1


def asked(count, **more):
    drawn = [
        {**scene, "image_index": n, "image_filename": f"{n}.png", "split": "val"}
        for n, scene in enumerate(scenes(count))
    ]
    settings = {**SETTINGS, "questions": {**SETTINGS["questions"], **more}}
    return questions_json(drawn, ("clevr", "val"), settings, 7)["questions"]


def test_captions_come_last_and_change_no_other_question():
    plain, zero, told = asked(8), asked(8, caption=0), asked(8, caption=1)
    assert plain == zero
    numbered = [q | {"question_index": 0} for q in told]
    assert [q for q in numbered if "references" not in q] == [
        q | {"question_index": 0} for q in plain
    ]
    own = [q for q in told if "references" in q]
    assert [q["image_index"] for q in own] == list(range(8))
    last = {q["image_index"]: q for q in told}
    assert all("references" in q and q["answer"] == q["references"][0] for q in last.values())


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Return a small CLEVR in which each image of `val` has a caption."""
    monkeypatch.chdir(tmp_path)
    root = make_clevr(Path("data/raw/clevr"), {"val": 6}, seed=5)
    path = root / "questions/CLEVR_val_questions.json"
    value = read(path)
    for scene in read(root / "scenes/CLEVR_val_scenes.json")["scenes"]:
        place = {"image_filename": scene["image_filename"], "question_index": 0}
        value["questions"].append({**place, **captions.caption_question(scene)})
    write(path, value)
    make_receipt(root, {"val": 6})
    return root


def prepare(root):
    names = ("items", "images", "regions")
    settings = json.dumps({"splits": ["val"], "test_share": 0.5})
    argv = ["--dataset", "clevr", "--receipt", str(root / "acquired.json"), "--seed", "7"]
    files = [part for name in names for part in (f"--{name}", f"out/{name}.parquet")]
    clevr_prepare.main([*argv, "--settings", settings, *files])
    return [pl.read_parquet(f"out/{name}.parquet") for name in names]


def test_a_caption_is_an_open_item_with_references_and_without_a_region(root):
    items, _, regions = prepare(root)
    own = items.filter(task="caption")
    assert own.height == 6 and items.height == 42
    scenes = {s["image_index"]: s for s in read(root / "scenes/CLEVR_val_scenes.json")["scenes"]}
    for row in own.iter_rows(named=True):
        assert row["choices"] == [] and row["prompt"] == row["type"] == captions.QUESTION
        told = captions.references(scenes[int(row["images"][0].rsplit("_", 1)[1])])
        assert json.loads(row["meta"]) == {"references": told}
        assert row["answer"] == told[0]
    assert not set(own["item_id"]) & set(regions["item_id"])


def test_a_caption_without_references_is_refused(root):
    path = root / "questions/CLEVR_val_questions.json"
    value = read(path)
    del value["questions"][-1]["references"]
    write(path, value)
    with pytest.raises(UserError, match="question 41: field 'references' is missing"):
        prepare(root)


def test_good_captions_score_high_and_others_low(tmp_path):
    told = [captions.references(scene) for scene in scenes(60)]
    names = [f"c{n:02d}" for n in range(60)]
    items = [
        item(name, own[0], [], task="caption", meta=references(*own))
        for name, own in zip(names, told, strict=True)
    ]
    rng = randomness.dice("others")
    said = {
        "sighted": [own[0] for own in told],  # the target itself
        "swapped": [own[0] for own in rng.sample(told, 60)],  # true of another image
        "blank": ["a small red metal cube"] * 60,
        "noise": [""] * 60,
    }
    rows = {
        condition: [
            answer(name, condition, 0, "", []) | {"predicted": None, "text": text}
            for name, text in zip(names, texts, strict=True)
        ]
        for condition, texts in said.items()
    }
    found, _ = score(tmp_path, items, rows)
    own = found.filter(task="all", metric="cider_d")
    by = {row["condition"]: row for row in own.iter_rows(named=True)}
    assert by["sighted"]["ci_low"] > 3
    assert by["swapped"]["ci_high"] < by["sighted"]["ci_low"] / 3
    assert by["blank"]["ci_high"] < by["sighted"]["ci_low"] / 3
    assert by["noise"]["value"] == by["noise"]["ci_high"] == 0
    assert {row["n"] for row in by.values()} == {60}
