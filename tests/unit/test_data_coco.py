"""COCO's tables: correct answers and labels, POPE's negatives, balance, groups, equal bytes."""

import json
from collections import Counter, defaultdict
from pathlib import Path
from random import Random

import polars as pl
import pytest
from coco_fixture import (
    CATEGORIES,
    ROOT,
    SIZE,
    acquire,
    make_coco,
    prepare,
    read,
    thing,
    write_split,
)

from eyechart.core.errors import UserError
from eyechart.data.layouts.coco import questions as coco_questions
from eyechart.data.layouts.coco import tasks as coco_tasks

IMAGES = 80


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return make_coco(tmp_path_factory.mktemp("coco") / "mine", IMAGES, seed=4)


@pytest.fixture
def there(source, tmp_path, monkeypatch):
    """Acquire the dataset; return the object annotations by image."""
    monkeypatch.chdir(tmp_path)
    acquire(source)
    found = defaultdict(list)
    for row in read(source, "instances_val2017")["annotations"]:
        found[f"val2017_{row['image_id']:012d}"].append(row)
    return found


def rows(items, task):
    """Return the items of a task, each with its image and its meta."""
    of_task = items.filter(pl.col("task").str.starts_with(task)).iter_rows(named=True)
    return [row | json.loads(row["meta"]) | {"image": row["images"][0]} for row in of_task]


def names(annotations):
    return {CATEGORIES[row["category_id"]] for row in annotations}


def test_presence_is_answered_by_the_annotations_and_balanced_in_every_image(there):
    items, images = prepare()
    answers = Counter()
    for row in rows(items, "presence"):
        assert (row["answer"] == "yes") == (row["category"] in names(there[row["image"]]))
        assert row["choices"] == ["yes", "no"]
        answers[row["image"], row["sampling"], row["answer"]] += 1
    for image in images["image_id"]:
        expected = min(2, len(names(there[image])), len(CATEGORIES) - len(names(there[image])))
        for sampling in ("random", "popular", "adversarial"):
            assert answers[image, sampling, "yes"] == answers[image, sampling, "no"] == expected


def negatives(items, sampling):
    found = defaultdict(set)
    for row in rows(items, "presence"):
        if (row["sampling"], row["answer"]) == (sampling, "no"):
            found[row["image"]].add(row["category"])
    return found


def test_popular_negatives_are_the_most_frequent_absent_ones(there):
    frequency = Counter(name for found in there.values() for name in names(found))
    for image, chosen in negatives(prepare()[0], "popular").items():
        left = set(CATEGORIES.values()) - names(there[image]) - chosen
        assert min(frequency[c] for c in chosen) >= max([frequency[c] for c in left], default=0)


def test_adversarial_negatives_co_occur_most_with_present_categories(there):
    together = Counter()
    for found in there.values():
        together.update((a, b) for a in names(found) for b in names(found))
    differs = 0
    items, _ = prepare()
    popular = negatives(items, "popular")
    for image, chosen in negatives(items, "adversarial").items():
        score = {
            c: sum(together[a, c] for a in names(there[image]))
            for c in set(CATEGORIES.values()) - names(there[image])
        }
        left = [score[c] for c in score if c not in chosen]
        assert min(score[c] for c in chosen) >= max(left, default=0)
        differs += chosen != popular[image]
    assert differs


def test_the_three_samplings_differ_in_a_hand_made_case():
    person, dog, tie, cup, kite = range(5)
    pictures = [{person, cup}] * 5 + [{dog, tie}] * 3 + [{dog, kite}] + [{dog}]
    found = coco_questions.count(pictures, 5)
    assert found.diagonal().tolist() == [5, 5, 3, 5, 1]
    there, absent = coco_questions.draw({dog}, 2, found, Random(1))
    assert there == [dog]
    assert absent["popular"] == [person]  # the first of equals
    assert absent["adversarial"] == [tie]
    drawn = {coco_questions.draw({dog}, 1, found, Random(n))[1]["random"][0] for n in range(99)}
    assert drawn == {person, tie, cup, kite}
    assert coco_questions.draw(range(5), 2, found, Random(1))[0] == []  # nothing is absent


def countable(annotations):
    """Return the objects by category, without categories annotated as a crowd."""
    found = defaultdict(list)
    for row in annotations:
        found[CATEGORIES[row["category_id"]]].append(row)
    return {c: found[c] for c in found if not any(row["iscrowd"] for row in found[c])}


def test_position_questions_are_only_about_single_off_centre_objects(there):
    expected = set()
    for image, annotations in there.items():
        for category, (first, *more) in countable(annotations).items():
            x, y, width, height = first["bbox"]
            centre = ((x + width / 2) / SIZE[0], (y + height / 2) / SIZE[1])
            for place, (low, high) in zip(centre, coco_tasks.SIDES, strict=True):
                if not more and place < 0.4:
                    expected |= {(image, category, low, "yes"), (image, category, high, "no")}
                if not more and place > 0.6:
                    expected |= {(image, category, low, "no"), (image, category, high, "yes")}
    items, _ = prepare()
    asked = [(r["image"], r["category"], r["side"], r["answer"]) for r in rows(items, "position")]
    assert len(asked) == len(set(asked))
    assert set(asked) == expected


def test_left_is_left(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    boxes = {3: [0.0, 14.0, 6.0, 4.0], 77: [20.0, 26.0, 8.0, 6.0], 44: [22.0, 14.0, 4.0, 4.0]}
    things = [thing(5, c, box, number=c) for c, box in boxes.items()]
    acquire(write_split(Path("mine"), "val2017", {5: things}))
    items, _ = prepare()
    asked = {row["prompt"]: row["answer"] for row in rows(items, "position")}
    assert asked == {
        "Is a dog on the left?": "yes",
        "Is a dog on the right?": "no",
        "Is a tv on the bottom?": "yes",
        "Is a tv on the top?": "no",
    }
    assert "val2017_000000000005_position_left_dog" in items["item_id"]


def test_counting_is_correct_and_omits_crowds_and_large_numbers(there):
    items, _ = prepare()
    seen, zeros = set(), 0
    for row in rows(items, "counting"):
        found = countable(there[row["image"]])
        if row["answer"] == "0":
            assert row["category"] not in names(there[row["image"]])
            zeros += 1
        else:
            assert len(found[row["category"]]) == int(row["answer"])
            seen.add((row["image"], row["category"]))
        assert row["choices"] == ["0", "1", "2", "3"]
        assert row["prompt"] == f"How many {coco_tasks.plural(row['category'])} are there?"
    every = {
        (image, c) for image in there for c, f in countable(there[image]).items() if len(f) <= 3
    }
    assert seen == every
    # present categories are drawn with probability 1 / 3; 5 standard deviations
    assert abs(zeros - len(every) / 3) < 5 * (len(every) * 2 / 9) ** 0.5


def test_an_image_has_at_most_the_configured_number_of_questions(there):
    items, _ = prepare(position=1, counting=1, presence=1)
    for task, most in (("position", 4), ("counting", 2), ("presence", 6), ("caption", 1)):
        asked = Counter(row["image"] for row in rows(items, task))
        assert max(asked.values()) <= most
    assert prepare(position=0, counting=0, presence=0)[0]["task"].unique().to_list() == ["caption"]


def test_answers_of_all_images_agree_with_the_items(there):
    items, images = prepare()
    known = {row["image_id"]: row for row in images.iter_rows(named=True)}
    asked = rows(items, "presence") + rows(items, "counting")
    assert len(asked) > 200
    for row in asked:
        assert known[row["image"]][f"answer/{row['prompt']}"] == row["answer"]
    counting = {row["category"]: row for row in asked if row["task"] == "counting"}
    for image, row in known.items():
        for name, item in counting.items():
            own = [t for t in there[image] if CATEGORIES[t["category_id"]] == name]
            countable = len(own) < len(item["choices"]) and not any(t["iscrowd"] for t in own)
            answer = str(len(own)) if countable else None
            assert row[f"answer/{item['prompt']}"] == answer


def test_captions_are_references_in_the_order_of_their_ids(there):
    items, images = prepare()
    asked = rows(items, "caption")
    assert len(asked) == images.height == IMAGES
    for row in asked:
        number = int(row["image"].split("_")[1])
        assert row["references"] == [f"First of {number}.", f"Second of {number}."]
        assert (row["answer"], row["choices"]) == (row["references"][0], [])


def test_labels_of_images_are_those_of_their_annotations(there):
    _, images = prepare()
    assert images.height == IMAGES
    assert any(not there[image] for image in images["image_id"])
    for row in images.iter_rows(named=True):
        found = there[row["image_id"]]
        single = [thing for thing in found if not thing["iscrowd"]]
        count = len(single)
        assert row["label/object_count"] == (str(count) if count < 5 else "5+")
        for name in CATEGORIES.values():
            label = row[f"label/has_{name.replace(' ', '_')}"]
            assert label == ("yes" if name in names(found) else "no")
        largest = max((t["area"] for t in single), default=None)
        if largest is None:
            assert row["type"] == "nothing"
        else:
            of_size = [t for t in single if t["area"] == largest]
            assert row["type"] == CATEGORIES[of_size[0]["category_id"]]
        assert (row["width"], row["height"]) == SIZE


def test_an_image_is_a_group_on_one_side_of_the_split(there):
    items, images = prepare()
    sides = dict(images.select("group", "group_split").iter_rows())
    assert set(sides.values()) == {"train", "test"}
    for row in items.iter_rows(named=True):
        assert row["images"] == [row["group"]]
        assert row["group_split"] == sides[row["group"]]
        assert row["item_id"].startswith(row["group"]) and row["type"] == row["prompt"]
    assert items["item_id"].is_sorted() and items["item_id"].n_unique() == items.height


def test_equal_settings_give_equal_bytes_and_a_seed_changes_only_draws(there):
    first, _ = prepare("first", position=1)
    prepare("second", position=1)
    for name in ("items.parquet", "images.parquet"):
        assert Path("first", name).read_bytes() == Path("second", name).read_bytes()
    other, _ = prepare("other", seed=8, position=1)
    assert other.height == pytest.approx(first.height, rel=0.1)
    assert set(other["item_id"]) != set(first["item_id"])


def test_a_subset_has_the_same_questions_about_its_images(there):
    whole, _ = prepare()
    some, images = prepare(subset=20)
    fewer, _ = prepare(subset=10)
    assert images.height == 20
    chosen = set(images["image_id"])
    assert some.equals(whole.filter(whole["group"].is_in(chosen)))
    assert set(fewer["group"]) < chosen
    assert set(prepare(subset=20, seed=8)[1]["image_id"]) != chosen
    with pytest.raises(UserError, match="subset is 81, but val2017 has 80 images"):
        prepare(subset=81)


def test_pycocotools_output_is_not_shown(there, capsys):
    prepare()
    assert capsys.readouterr().out == ""
    assert ROOT.exists()


def test_two_splits_are_in_one_table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for split in ("train2017", "val2017"):
        make_coco(Path("mine"), 5, seed=1, split=split)
    acquire(Path("mine"), splits=("train2017", "val2017"))
    items, images = prepare(splits=["train2017", "val2017"])
    assert Counter(images["split"]) == {"train2017": 5, "val2017": 5}
    assert set(items["split"]) == {"train2017", "val2017"}
