"""Responses are read with their statistics or refused, and sentences claim only tested effects."""

import re
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from behavior_fixture import EVIL, SETTINGS, write_behaviour

from eyechart.core.errors import UserError
from eyechart.report.labels import Criteria, join_findings
from eyechart.report.sections.behavior.check import check_distributions, check_scores
from eyechart.report.sections.behavior.examples import differing, worst_pairs
from eyechart.report.sections.behavior.findings import sentences, summarise
from eyechart.report.sections.behavior.load import Behavior, audit, read_behavior
from eyechart.report.sections.behavior.page import (
    accuracy_table,
    left_out,
    other_table,
    scorings,
    section,
)
from eyechart.tables.parquet import read_table, write_table

CRITERIA = Criteria(0.01, 0.1)
SCORES = Path("results/behavior/scores/tiny_llava/coco.parquet")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("said")
    write_behaviour(root)
    return root


@pytest.fixture(autouse=True)
def _at_root(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)


def paths(pattern: str) -> list[Path]:
    return sorted(Path().glob(pattern))


def read() -> dict[tuple[str, str], Behavior]:
    distributions = paths("results/behavior/scores/*/*.distributions.parquet")
    scores = [Path(str(p).replace(".distributions", "")) for p in distributions]
    found = read_behavior(
        scores,
        distributions,
        paths("results/behavior/responses/*/*/*"),
        paths("results/behavior/retrieval/*/*"),
    )
    return {(b.model, b.dataset): b for b in found}


def tables(dataset: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    items, images = (
        read_table(Path(f"results/datasets/{dataset}/{name}.parquet"))
        for name in ("items", "images")
    )
    return pl.DataFrame(items), pl.DataFrame(images)


def scores() -> pl.DataFrame:
    return pl.DataFrame(read_table(SCORES))


def with_value(rows: pl.DataFrame, where: pl.Expr, field: str, value: object) -> pl.DataFrame:
    new = pl.when(where).then(pl.lit(value, rows[field].dtype)).otherwise(pl.col(field))
    return rows.with_columns(new.alias(field))


BLANK = (pl.col("condition") == "blank") & (pl.col("task") == "presence")
ACCURACY = BLANK & (pl.col("metric") == "accuracy")


@pytest.mark.parametrize("field", ["value", "ci_low", "ci_high", "chance", "n"])
def test_an_accuracy_without_chance_n_or_interval_is_refused(field):
    with pytest.raises(UserError, match=rf"coco.parquet: row \d+ \(blank, presence, .*{field}"):
        check_scores(SCORES, with_value(scores(), ACCURACY, field, None))


@pytest.mark.parametrize("field", ["against", "difference", "p", "q"])
def test_a_comparison_without_its_paired_test_is_refused(field):
    with pytest.raises(UserError, match=r"row \d+ \(blank, presence, accuracy\).*paired test"):
        check_scores(SCORES, with_value(scores(), ACCURACY, field, None))


def test_numbers_that_contradict_each_other_are_refused():
    wrong = with_value(scores(), ACCURACY, "difference", 0.123)
    with pytest.raises(UserError, match="difference is not that of its accuracies"):
        check_scores(SCORES, wrong)
    with pytest.raises(UserError, match="q is below p"):
        check_scores(SCORES, with_value(scores(), ACCURACY, "q", 1e-9))
    with pytest.raises(UserError, match="the score is duplicated"):
        check_scores(SCORES, pl.concat([scores(), scores().head(1)]))
    with pytest.raises(UserError, match="condition 'blanc' is unknown; did you mean 'blank'"):
        check_scores(SCORES, with_value(scores(), BLANK, "condition", "blanc"))


def test_shares_that_are_no_distribution_are_refused_and_unknown_truth_is_not():
    path = SCORES.with_suffix(".distributions.parquet")
    rows = pl.DataFrame(read_table(path))
    check_distributions(path, rows.with_columns(truth=pl.lit(None, pl.Float64)))
    with pytest.raises(UserError, match=r"shares 'predicted' of kind 'choice' sum to 2\.0000"):
        check_distributions(path, rows.with_columns(pl.col("predicted") * 2))


def test_accuracies_that_the_answers_do_not_reproduce_are_refused():
    found = list(read().values())
    items = {dataset: tables(dataset)[0] for dataset in ("coco", "mmvp")}
    audit(found, items)
    changed = items["coco"].with_columns(answer=pl.col("choices").list.first())
    with pytest.raises(UserError, match=r"tiny_clip on coco: row \d+ .*not that of its answers"):
        audit(found, items | {"coco": changed})
    with pytest.raises(UserError, match="was answered, but is not in the dataset"):
        audit(found, items | {"coco": items["coco"].head(3)})
    with pytest.raises(UserError, match="items of 'coco', which have responses, are missing"):
        audit(found, {"mmvp": items["mmvp"]})


def test_a_table_under_another_models_name_is_refused(tmp_path):
    other = tmp_path / "results/behavior/scores/tiny_clip/coco.parquet"
    beside = other.with_suffix(".distributions.parquet")
    write_table(other, read_table(SCORES))
    write_table(beside, read_table(SCORES.with_suffix(".distributions.parquet")))
    with pytest.raises(UserError, match="a row is about tiny_llava on coco, unlike its path"):
        read_behavior([other], [beside], [], [])
    with pytest.raises(UserError, match=r"its distributions .* were not given"):
        read_behavior([other], [], [], [])


def test_a_condition_without_answers_is_stated():
    clip = read()["tiny_clip", "coco"]
    assert clip.impossible == ("no_image",)
    assert "no_image" not in clip.conditions()
    assert "It cannot be tested with no image." in sentences(clip, CRITERIA)
    assert left_out(clip, {"noise", "no_image"}) == []
    assert left_out(clip, {"noise", "no_image", "blank"}) == []
    never_tried = replace(clip, impossible=())
    assert left_out(never_tried, {"noise", "no_image"}) == ["no image"]


def test_sentences_claim_only_what_the_paired_test_shows():
    llava = read()["tiny_llava", "coco"]
    said = sentences(llava, CRITERIA)
    assert any(re.match(r"It uses the image on presence \(.*n = 24, q .*\)\.$", s) for s in said)
    assert any(s.startswith("No significant difference between with and without") for s in said)
    strict = sentences(llava, Criteria(1e-30, 0.1))  # no result meets this criterion
    assert not any("uses the image" in s and "no evidence" not in s for s in strict)
    assert not any(s.startswith("It uses") for s in strict)
    swapped = with_value(llava.scores, pl.col("condition") == "sighted", "value", 0.0)
    worse = sentences(replace(llava, scores=swapped), CRITERIA)
    assert any("answers better without the image on presence" in s for s in worse)


def test_without_a_blind_condition_no_sentence_is_about_image_use():
    llava = read()["tiny_llava", "coco"]
    only = llava.scores.filter(pl.col("condition") == "sighted")
    said = sentences(replace(llava, scores=only), CRITERIA)
    assert said == ["It was not tested without the image, so its use of the image is unknown."]


def test_findings_of_one_model_are_under_one_heading():
    probes = [{"dataset": "coco", "model": "tiny_llava", "sentences": ["Decoded."]}]
    found = join_findings(probes, summarise(list(read().values()), CRITERIA))
    keys = [(f["dataset"], f["model"]) for f in found]
    assert keys == sorted(set(keys))
    llava = next(f for f in found if (f["dataset"], f["model"]) == ("coco", "tiny_llava"))
    assert llava["sentences"][0] == "Decoded."
    assert len(llava["sentences"]) > 1


def test_shown_items_differ_and_come_from_every_task_in_turn():
    llava = read()["tiny_llava", "coco"]
    found = differing(llava, *tables("coco"), SETTINGS)
    rows = [row for entry in found["entries"] for row in entry["items"]]
    assert len(rows) == SETTINGS["differing"]
    assert all(row["sighted"] != row["blind"] for row in rows)
    assert {row["task"] for row in rows} == {"presence", "counting", "caption"}
    assert found["n"] == 72
    assert found == differing(llava, *tables("coco"), SETTINGS)


def test_worst_pairs_are_those_with_the_lowest_margin():
    llava = read()["tiny_llava", "mmvp"]
    found = worst_pairs(llava, *tables("mmvp"), {**SETTINGS, "worst_pairs": 27})
    margins = [entry["margin"] for entry in found["entries"]]
    assert margins == sorted(margins)
    assert found["n"] == len(margins) == 27
    assert found["wrong"] == sum(m < 0 for m in margins)
    for entry in found["entries"]:
        assert entry["margin"] == min(item["margin"] for item in entry["items"])
        assert len(entry["images"]) == len(entry["items"]) == 2
        for item in entry["items"]:
            assert (item["margin"] > 0) == (item["sighted"] == item["answer"])
    assert worst_pairs(read()["tiny_llava", "coco"], *tables("coco"), SETTINGS) is None


def test_items_with_an_unknown_answer_are_shown_without_a_mark():
    llava = read()["tiny_llava", "mmvp"]
    items, images = tables("mmvp")
    unlabelled = items.with_columns(answer=pl.lit(None, pl.String))
    found = differing(llava, unlabelled, images, SETTINGS)
    shown = [item for entry in found["entries"] for item in entry["items"]]
    assert len(shown) == SETTINGS["differing"]
    assert all(item["p_sighted"] is None and item["sighted"] for item in shown)
    assert worst_pairs(llava, unlabelled, images, SETTINGS) is None


def test_an_image_that_the_dataset_lacks_is_reported():
    items, images = tables("coco")
    with pytest.raises(UserError, match="items name image 'val_"):
        differing(read()["tiny_llava", "coco"], items, images.head(0), SETTINGS)


def test_tables_hold_every_task_and_condition_once():
    llava = read()["tiny_llava", "mmvp"]
    lines = accuracy_table(llava, "pair_accuracy")
    assert lines[0]["task"] == "all tasks"
    assert len(lines) == 10
    assert lines[0]["n"] == 27
    assert all(set(line["at"]) == set(llava.conditions()) for line in lines)
    recalls = [
        line for line in other_table(read()["tiny_clip", "coco"]) if "recall" in line["name"]
    ]
    assert [line["chance"] for line in recalls] == [0.04, 0.2, 0.4] * 2
    assert all(line["at"]["blank"] is None for line in recalls)


def test_without_responses_there_is_no_section():
    assert section([], {}, SETTINGS) is None
    assert EVIL in tables("coco")[0]["prompt"][0]


def test_the_page_states_the_scoring_and_the_items_that_others_change() -> None:
    behavior = read()["tiny_llava", "coco"]
    found = scorings(behavior)
    assert found and found["own"] == "the mean log-probability per token"
    (other,) = found["others"]
    assert (other["changed"], other["n"]) == (12, 48)
    assert other["right"]["value"] == 0.4
    plain = replace(behavior, scores=behavior.scores.filter(pl.col("metric") == "accuracy"))
    assert scorings(plain) == found | {"others": []}, "uncounted facts must not be shown"


def test_examples_are_selected_by_the_deciding_scores() -> None:
    behavior = read()["tiny_llava", "coco"]
    items, images = tables("coco")
    doubled = pl.col("log_probability") * 2, pl.col("tokens") * 2
    same = replace(behavior, answers=behavior.answers.with_columns(*doubled))
    assert differing(same, items, images, SETTINGS) == differing(behavior, items, images, SETTINGS)
