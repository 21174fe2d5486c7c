"""The step that answers items, from its flags to its tables."""

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_extraction_steps import Project, flags

from eyechart.behavior import answer_items, retrieve
from eyechart.behavior.retrieve import Captions
from eyechart.core.errors import UserError
from eyechart.inference.choice_tokens import Response
from eyechart.plan.behavior import questions
from eyechart.tables.conditions import CONDITIONS
from eyechart.tables.items import ITEMS
from eyechart.tables.responses import ANSWERS

SETTINGS = {
    "prompt": "{question}",
    "scoring": "mean",
    "orders": 1,
    "items": "test",
    "most": None,
    "greedy": "open",
    "greedy_tokens": 3,
    "batch_size": 4,
    "statement": "{question} {choice}",
    "caption": "a photo of {statement}",
}


SHOWN = [c for c in CONDITIONS if c != "no_image"]


def item(name, images, choices, split="test", **more):
    row = {"item_id": name, "images": images, "choices": choices, "group_split": split}
    row |= {"group": images[0] if images else name, "prompt": "what is it", "task": "t"}
    return row | {"meta": "{}"} | more


ROWS = [
    item("b", ["p000"], ["the cube", "red"]),
    item("a", ["p001"], ["red", "the", "the cube"]),
    item("c", ["p001"], []),
    item("d", ["p002"], ["red", "the"], split="train"),
    item("e", ["p003"], ["red", "the"]),
]


class Asker(Project):
    """A project with multiple-choice items; each call loads one model, as a rule does."""

    def answer(
        self,
        out,
        rows=ROWS,
        model="llava",
        conditions=CONDITIONS,
        look=None,
        part=(0, 1),
        **changes,
    ):
        items = out / "items.parquet"
        items.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows, ITEMS), items)
        outputs = [out / f"{condition}.parquet" for condition in conditions]
        answer_items.main(
            flags(
                model=model,
                dataset="d",
                spec=self.folder / f"{model}.yaml",
                checkpoint=self.models[model],
                card=self.folder / f"{model}.json",
                items=items,
                images=self.data.images,
                settings=SETTINGS | changes,
                loading={"device": "cpu"},
                seed=1,
                part=part[0],
                parts=part[1],
                **(look or {"looks": {}, "so_far": [], "decided": []}),
                outputs=outputs,
            )
        )
        tables = [pq.read_table(path) for path in outputs]
        assert all(table.schema.remove_metadata().equals(ANSWERS) for table in tables)
        return {c: t.to_pylist() for c, t in zip(conditions, tables, strict=True)}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return Asker(tmp_path_factory.mktemp("answers"))


def test_one_table_per_condition_with_a_row_per_test_item_sorted(project, tmp_path):
    found = project.answer(tmp_path)
    for condition, rows in found.items():
        assert [r["item_id"] for r in rows] == ["a", "b", "c", "e"]
        assert {(r["model"], r["dataset"], r["condition"]) for r in rows} == {
            ("llava", "d", condition)
        }
    assert [r["shown"] for r in found["sighted"]] == [["p001"], ["p000"], ["p001"], ["p003"]]
    assert all(r["shown"] == [] for c in ("blank", "noise", "no_image") for r in found[c])
    for one, other in zip(found["sighted"], found["swapped"], strict=True):
        assert one["shown"] != other["shown"]
        assert len(one["shown"]) == len(other["shown"])
    seen = {c: tuple(found[c][0]["log_probability"]) for c in CONDITIONS}
    assert len(set(seen.values())) == len(CONDITIONS)  # the first item, a


@pytest.mark.parametrize("scoring", ["sum", "mean", "pmi"])
def test_the_answer_is_the_choice_with_the_highest_score(project, tmp_path, scoring):
    rows = [*ROWS, item("z", ["p003"], ["red", "the", "the cube"], prompt="")]
    conditions = ["sighted", "no_image"]
    found = project.answer(tmp_path, rows, conditions=conditions, scoring=scoring)
    without = dict(zip(rows[-1]["choices"], found["no_image"][-1]["log_probability"], strict=True))
    for row in found["sighted"]:
        choices = next(r["choices"] for r in rows if r["item_id"] == row["item_id"])
        assert row["scoring"] == scoring
        if not choices:
            assert row["log_probability"] == row["tokens"] == []
            assert row["predicted"] is row["parsed"] is None
            assert isinstance(row["text"], str)
            continue
        scores = np.array(row["log_probability"])
        assert (scores < 0).all() and min(row["tokens"]) >= 1
        if scoring == "pmi":
            assert row["unconditional"] == pytest.approx([without[c] for c in choices], abs=1e-5)
            scores = scores - row["unconditional"]
        else:
            assert row["unconditional"] is None
        scores = scores / row["tokens"] if scoring == "mean" else scores
        assert row["predicted"] == choices[scores.argmax()]


class Fake:
    """A replacement of ``PromptAnswerer``; responses are a function of image, prompt and choice.

    Choices have as many tokens as words.
    """

    def __init__(self, log_probability):
        self.log_probability, self.lost = log_probability, {}

    def __call__(self, *_):
        return self

    def run(self, asked):
        for one in asked:
            tokens = [len(choice.split()) for choice in one.scored]
            said = [self.log_probability(one.stimuli, one.prompt, c) for c in one.scored]
            yield [(one.number, Response(said, tokens, None))]


def accuracy(rows, found):
    answer = {row["item_id"]: row["answer"] for row in rows}
    return np.mean([answer[row["item_id"]] == row["predicted"] for row in found])


def test_a_model_that_scores_only_length_is_at_chance_by_default(
    project, tmp_path, monkeypatch, config
):
    choices = ["Point A", "Point B or so", "Point C", "Point D if any"]
    long, short = choices[1::2], choices[::2]
    rows = [
        item(f"i{n:03d}", ["p000"], choices[:2] if n % 2 else choices, answer="Point A")
        for n in range(400)
    ]
    monkeypatch.setattr(
        answer_items, "PromptAnswerer", Fake(lambda _, __, choice: -2.3 * len(choice.split()))
    )
    default = questions(config, "blink")["scoring"]
    found = {
        scoring: project.answer(tmp_path, rows, conditions=["sighted"], scoring=scoring)["sighted"]
        for scoring in (default, "sum", "pmi")
    }
    chance = (1 / 2 + 1 / 4) / 2
    for scoring in (default, "pmi"):  # within four standard errors
        assert accuracy(rows, found[scoring]) == pytest.approx(chance, abs=4 * 0.023)
        assert {row["predicted"] for row in found[scoring]} == {*long, *short}
    assert {row["predicted"] for row in found["sum"]} == set(short)
    assert accuracy(rows, found["sum"]) == pytest.approx(0.75, abs=4 * 0.022)


def test_pmi_finds_the_images_answer_despite_frequent_choices(project, tmp_path, monkeypatch):
    likely = {"red": -1.0, "blue": -6.0, "green": -4.0}
    colors = {"p000": "red", "p001": "blue", "p002": "green"}

    def says(stimuli, prompt, choice):
        seen = [colors[stimulus.name] for stimulus in stimuli]
        return likely[choice] + 2 * (choice in seen)

    monkeypatch.setattr(answer_items, "PromptAnswerer", Fake(says))
    rows = [item(image, [image], list(likely), answer=color) for image, color in colors.items()]
    right = {
        scoring: accuracy(
            rows, project.answer(tmp_path, rows, conditions=["sighted"], scoring=scoring)["sighted"]
        )
        for scoring in ("sum", "mean", "pmi")
    }
    assert right == {"sum": pytest.approx(1 / 3), "mean": pytest.approx(1 / 3), "pmi": 1}


def test_bytes_are_equal_in_every_run_and_with_other_items(project, tmp_path):
    project.answer(tmp_path / "a")
    others = ["no_image", "noise"]
    project.answer(tmp_path / "b", conditions=others)
    project.answer(tmp_path / "c", rows=ROWS[::-1])
    for condition in CONDITIONS:
        first = (tmp_path / "a" / f"{condition}.parquet").read_bytes()
        assert first == (tmp_path / "c" / f"{condition}.parquet").read_bytes()
        if condition in others:
            assert first == (tmp_path / "b" / f"{condition}.parquet").read_bytes()


def test_letters_are_scored_by_the_position_of_each_choice(project, tmp_path):
    asked = {"prompt": "{question} {options}", "scoring": "letter", "orders": "all"}
    rows = project.answer(tmp_path, conditions=["sighted"], greedy="all", **asked)["sighted"]
    assert [(r["item_id"], r["order"]) for r in rows] == [
        ("a", 0), ("a", 1), ("a", 2), ("b", 0), ("b", 1), ("c", 0), ("e", 0), ("e", 1)
    ]  # fmt: skip
    assert rows[1]["prompt"] == "what is it (a) the (b) the cube (c) red"
    assert all(r["text"] is not None for r in rows)
    assert project.answer(tmp_path, conditions=["sighted"], items="all", **asked) != rows


def test_only_the_seeded_number_of_groups_is_answered(project, tmp_path):
    rows = project.answer(tmp_path, conditions=["sighted"], most=1)["sighted"]
    groups = {r["item_id"]: r["group"] for r in ROWS}
    assert len({groups[r["item_id"]] for r in rows}) == 1


def test_an_encoder_compares_texts_or_images(project, tmp_path, caplog):
    which = item("w", ["p000", "p001"], ["first", "second"], group="g", prompt="the cube",
                 meta='{"form": "which_image"}')  # fmt: skip
    other = {**which, "item_id": "x", "images": ["p002", "p003"], "group": "h"}
    found = project.answer(tmp_path, [*ROWS, which, other], "clip", SHOWN)
    assert "blank: does not apply to 2 of 6 items" in caplog.text
    for condition, rows in found.items():
        asked = ["a", "b", "c", "e", *(["w", "x"] if condition != "blank" else [])]
        assert [r["item_id"] for r in rows] == asked, "two white images give no choice"
        assert {r["scoring"] for r in rows} == {"similarity"}
        for row in rows:
            if row["item_id"] == "c":  # it has no choices
                assert row["log_probability"] == []
            else:
                assert np.exp(row["log_probability"]).sum() == pytest.approx(1)
            assert row["text"] is None
    assert found["sighted"][4]["prompt"] == "a photo of the cube"
    assert found["sighted"][0]["prompt"] == "what is it {choice}"
    assert found["swapped"][4]["shown"] == ["p002", "p003"]
    assert all(n == 1 for row in found["sighted"] for n in row["tokens"])
    assert project.answer(tmp_path, ROWS, "clip", ["no_image"])["no_image"] == []


def test_a_vlm_does_not_match_statements_with_images(project, tmp_path):
    which = item("w", ["p000", "p001"], ["first", "second"], meta='{"form": "which_image"}')
    with pytest.raises(UserError, match="item 'w' asks which image"):
        project.answer(tmp_path, [which])


def test_mistakes_are_one_sentence_errors(project, tmp_path):
    with pytest.raises(UserError, match="unknown field 'order'; did you mean 'orders'"):
        project.answer(tmp_path, order=1)
    with pytest.raises(UserError, match="greedy: 'some'"):
        project.answer(tmp_path, greedy="some")
    with pytest.raises(UserError, match="did you mean 'sighted'"):
        project.answer(tmp_path, conditions=["sihgted"])
    with pytest.raises(UserError, match="no item would be answered"):
        project.answer(tmp_path, rows=[ROWS[3]])
    assert not list(tmp_path.glob("sighted*"))


def test_the_error_about_a_too_large_batch_gives_the_key_to_change(monkeypatch, config):
    settings = SimpleNamespace(batch_size=8)
    sentence = "^behavior.batch_size: out of memory at 8; use a smaller number"
    with pytest.raises(UserError, match=sentence):
        answer_items.ItemAnswerer(None, False, settings, None).batches.shrink(8)
    monkeypatch.setattr(
        retrieve.ask_encoder, "view", lambda adapter, stimuli, batches: batches.shrink(8)
    )
    captions = Captions([], np.empty(0), [], np.empty(0), np.empty(0))
    with pytest.raises(UserError, match=sentence):
        retrieve.compare(None, captions, {}, 8)
    assert "batch_size" in config["behavior"]
