"""The step from the tables of all stages to the table of verdicts."""

import json

import polars as pl
import pyarrow.parquet as pq
import pytest
from verdict_fixture import (
    ITEMS,
    MODELS,
    OUT,
    READOUTS,
    TASK,
    add,
    change,
    flags,
    read,
    with_probes,
    write_model,
    write_probes,
)

from eyechart.core.files import write_json
from eyechart.core.randomness import generator
from eyechart.tables.parquet import write_table
from eyechart.tables.verdict import (
    DIFFERENCES,
    NOT_RETRIEVED,
    NOT_USED,
    NOT_VERBALISED,
    NOTE,
    SKILLS,
    VALUES,
    parts,
)
from eyechart.verdict import decide
from eyechart.verdict.planted import LM, READ_BLOCK, SCENARIOS, UNREAD_BLOCK, write_tables


@pytest.mark.parametrize("name", MODELS)
def test_the_tables_of_a_planted_model_give_its_class(tmp_path, name):
    decide.main(write_model(tmp_path, name, n=400))
    (row,) = read(tmp_path / OUT)
    assert row["verdict"] == MODELS[name]
    assert (row["n"], row["groups"], row["chance"], row["band"]) == (400, 400, 0.25, "six")
    assert row["seen"] == "canvas" and row["lm_last_address"] == "lm.norm"
    for stage in ("encoder", "connector", "lm_best", "lm_last", "sighted", "blind"):
        assert row[f"{stage}_ci_low"] <= row[f"{stage}_value"] <= row[f"{stage}_ci_high"], stage
        assert row[f"{stage}_n"] == 400 and row[f"{stage}_evidence"]
    assert row["lm_sighted_q"] >= row["lm_sighted_p"]
    assert "n = 400 in 400 groups, chance 0.25" in row["why"]


def test_equal_inputs_give_equal_bytes_and_the_note_says_what_was_applied(tmp_path):
    words = write_model(tmp_path, "works", n=60)
    decide.main(words)
    three = parts(tmp_path / OUT)
    first = [path.read_bytes() for path in three]
    decide.main(words)
    assert [path.read_bytes() for path in three] == first
    for path, expected in zip(three, (VALUES, SKILLS, DIFFERENCES), strict=True):
        schema = pq.read_schema(path)
        assert schema.equals(expected)
        note = {"alpha": 0.01, "margin": 0.1, "blind": "blank", "patterns": {}}
        assert json.loads(schema.metadata[NOTE]) == note


def test_only_items_shared_by_all_stages_are_counted(tmp_path):
    words = write_model(tmp_path, "works", n=60)
    change(tmp_path / f"{READOUTS}.predictions.parquet",
           keep=(pl.col("address") != "lm.2") | (pl.col("item_id") >= f"{TASK}-0020"))  # fmt: skip
    decide.main(words)
    (row,) = read(tmp_path / OUT)
    assert row["n"] == 40
    assert {row[f"{s}_n"] for s in ("encoder", "lm_best", "sighted")} == {40}


def test_controls_and_readouts_at_only_one_stage_are_not_candidates(tmp_path):
    words = write_model(tmp_path, "sees nothing", n=200)
    path = tmp_path / f"{READOUTS}.predictions.parquet"
    perfect = pl.read_parquet(path).with_columns(predicted=pl.col("answer"))
    add(path, perfect.with_columns(readout=pl.lit("points/shuffled")))
    add(path, perfect.filter(address=READ_BLOCK).with_columns(readout=pl.lit("cls")))
    over_blocks = {"address": pl.lit("vision"), "readout": pl.lit("depth_dpt")}
    add(path, perfect.filter(address=READ_BLOCK).with_columns(**over_blocks))
    decide.main(words)
    (row,) = read(tmp_path / OUT)
    assert row["encoder_value"] < 0.4 and row["lm_best_value"] < 0.4


@pytest.mark.parametrize(
    ("known", "verdict"), [(0.9, NOT_VERBALISED), (0.25, NOT_RETRIEVED), (None, NOT_USED)]
)
def test_a_probe_at_the_answer_position_decides_what_readouts_leave_open(tmp_path, known, verdict):
    words = write_model(tmp_path, "ignored by the head", n=400)
    if known is not None:
        words = with_probes(words, write_probes(tmp_path, TASK, known, 400))
    decide.main(words)
    (row,) = read(tmp_path / OUT)
    assert row["verdict"] == verdict
    assert row["encoder_evidence"] == "readout"
    assert ("position_best_value" in row) == (known is not None)


def test_a_larger_head_available_at_every_stage_is_used(tmp_path):
    words = write_model(tmp_path, "sees nothing", n=200)
    path = tmp_path / f"{READOUTS}.predictions.parquet"
    points = pl.read_parquet(path).filter(address=READ_BLOCK)
    right = points.with_columns(predicted=pl.col("answer"), readout=pl.lit("depth_dpt"))
    wrong = points.with_columns(readout=pl.lit("depth_dpt"))
    known = {"vision": right, "connector": right, "lm": right, "lm.norm": wrong}
    for address, rows in known.items():
        add(path, rows.with_columns(address=pl.lit(address)))
    decide.main(words)
    (row,) = read(tmp_path / OUT)
    assert [row[f"{s}_value"] for s in ("encoder", "connector", "lm_best")] == [1, 1, 1]
    assert row["encoder_address"] == "vision" and row["lm_last_value"] < 0.4


def test_the_single_image_is_kept_next_to_the_canvas(tmp_path):
    words = write_model(tmp_path, "works", n=200)
    path = tmp_path / f"{READOUTS}.predictions.parquet"
    own = pl.read_parquet(path).filter(address=READ_BLOCK)
    add(path, own.with_columns(seen=pl.lit("alone"), predicted=pl.col("answer")))
    decide.main(words)
    (row,) = read(tmp_path / OUT)
    assert row["alone_value"] == 1 and row["encoder_value"] < 0.9 and row["seen"] == "canvas"


def test_another_address_may_represent_the_encoder(tmp_path):
    words = write_model(tmp_path, "works", n=60)
    path = tmp_path / f"{READOUTS}.predictions.parquet"
    early = (
        pl.read_parquet(path).filter(address=READ_BLOCK).with_columns(address=pl.lit("vision.1"))
    )
    add(path, early.with_columns(predicted=pl.col("answer")))
    decide.main(words)
    assert read(tmp_path / OUT)[0]["encoder_address"] == READ_BLOCK
    words[words.index("--settings") + 1] = json.dumps(
        {"alpha": 0.01, "margin": 0.1, "encoder": "vision.1", "blind": "blank", "patterns": {}}
    )
    decide.main(words)
    assert read(tmp_path / OUT)[0]["encoder_value"] == 1


@pytest.mark.parametrize(
    ("name", "reads", "expected"),
    [
        ("only an unread block has it", [READ_BLOCK], "not_encoded"),
        ("only an unread block has it", [UNREAD_BLOCK], "lost_in_connector"),
        ("only the read block has it", [READ_BLOCK], "lost_in_connector"),
        ("only the read block has it", [UNREAD_BLOCK], "not_encoded"),
        ("only the read block has it", [READ_BLOCK, UNREAD_BLOCK], "lost_in_connector"),
    ],
)
def test_the_encoder_is_evaluated_at_the_blocks_that_the_connector_reads(
    tmp_path, name, reads, expected
):
    words = write_model(tmp_path, name, n=400)
    write_json(tmp_path / "results/models/m/card.json", {"reads": reads})
    decide.main(words)
    (row,) = read(tmp_path / OUT)
    assert row["verdict"] == expected
    assert set(row["encoder_address"].split(", ")) <= set(reads)


def test_information_only_in_the_connector_is_not_blamed_on_the_encoder(tmp_path):
    decide.main(write_model(tmp_path, "the connector alone has it", n=400))
    (row,) = read(tmp_path / OUT)
    assert row["verdict"] == "lost_in_lm" and row["loss_first"] == "connector"
    assert row["connector_value"] > 0.6 > row["encoder_value"]


def test_a_verdict_does_not_depend_on_which_other_skills_were_examined(tmp_path):
    words = write_model(tmp_path / "one", "retrieved in part", n=60, task="art_style")
    decide.main(words)
    (alone,) = read(tmp_path / "one" / OUT)
    tables = write_tables(
        tmp_path / "two", "m", "drawn", SCENARIOS["sees nothing"],
        {f"s{i}": 60 for i in range(8)}, generator("others"),
    )  # fmt: skip
    for path in (*tables.items, *tables.answers, *tables.readouts):
        own = tmp_path / "one" / path.relative_to(tmp_path / "two")
        both = pl.concat([pl.read_parquet(own), pl.read_parquet(path)])
        write_table(own, both.to_arrow().cast(pq.read_schema(own)))
    decide.main(words)
    rows = {row["skill"]: row for row in read(tmp_path / "one" / OUT)}
    assert len(rows) == 9 and rows["art_style"] == alone


def test_with_readouts_only_the_answer_position_is_probed(tmp_path):
    """A probe finds more than a readout, so the two are compared only if the probe fails."""
    words = write_model(tmp_path, "works", n=200, task="color")
    decide.main(with_probes(words, write_probes(tmp_path, "color", 0.3, 200)))
    (row,) = read(tmp_path / OUT)
    found = {value for key, value in row.items() if key.endswith("_evidence")}
    assert found == {"readout", "probe", "answer"} and row["verdict"] == "used"
    probed = {k for k, value in row.items() if k.endswith("_evidence") and value == "probe"}
    assert all(name.startswith("position_") for name in probed)


def test_a_probe_must_beat_the_question_alone(tmp_path):
    words = write_model(tmp_path, "reads the question alone", n=400, task="color")
    (tmp_path / f"{READOUTS}.predictions.parquet").unlink()
    words = [w for w in words if not w.endswith("drawn.predictions.parquet")]
    for known, expected in ((0.9, True), (0.3, False)):
        path = write_probes(tmp_path, "color", known, 400)
        decide.main(with_probes(words, path))
        (row,) = read(tmp_path / OUT)
        assert row["band"] == "question" and row["position_best_evidence"] == "probe"
        assert row["position_best_floor"] >= row["blind_value"] > row["chance"]
        assert (row["position_best_ci_low"] > row["position_best_floor"]) is expected
        assert "encoder_value" not in row and row["verdict"] == "prior"
        assert row["position_best_address"] == row["position_last_address"] == f"{LM[-1]}/last"
        assert row["position_first_address"] == f"{LM[0]}/last"
        assert "encoder and connector are unknown" in row["why"]


def test_patterns_use_the_contained_encoders_own_answers(tmp_path):
    """MMVP's questions and MMVP-VLM's statements are different items, so they are never paired."""
    words = write_model(tmp_path, "sees nothing, of two choices", n=300, task="color")
    write_model(tmp_path / "other", "works, of two choices", n=200, task="color", model="eyes")
    (tmp_path / "results/datasets/vlm").mkdir(parents=True)
    statements = tmp_path / "results/datasets/vlm/items.parquet"
    (tmp_path / f"other/{ITEMS}").rename(statements)
    change(statements, meta=pl.lit('{"form": "which_image"}'), pair=pl.col("group"))
    change(tmp_path / ITEMS, pair=pl.col("group"))
    answers = []
    for condition in ("sighted", "blank"):
        answers.append(tmp_path / f"results/behavior/responses/eyes/vlm/{condition}.parquet")
        answers[-1].parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / f"other/results/behavior/responses/eyes/drawn/{condition}.parquet").rename(
            answers[-1]
        )
        change(answers[-1], dataset=pl.lit("vlm"))
    said = [p for p in words if "/responses/m/" in p]
    words = flags(tmp_path, contains="eyes", items=[tmp_path / ITEMS], answers=said,
                  encoder_items=[statements], encoder_answers=answers,
                  settings={"patterns": {"drawn": "vlm"}})  # fmt: skip
    decide.main(words)
    (row,) = read(tmp_path / OUT)
    assert (row["band"], row["contains"]) == ("pattern", "eyes")
    assert row["encoder_address"] == "eyes on vlm" and row["encoder_evidence"] == "answer"
    assert row["n"] == 300 and row["encoder_n"] == 200 and row["encoder_value"] > 0.7
    assert row["verdict"] == "undecided" and row["why"].startswith("Lost after the encoder")
    # the encoder itself, which has only answers
    decide.main(flags(tmp_path, model="eyes", kind="encoder", items=[statements], answers=answers))
    (own,) = read(tmp_path / "results/verdict/eyes.parquet")
    assert own["encoder_value"] == own["sighted_value"] and "lm_best_value" not in own
    assert own["verdict"] == "used"


def test_an_encoder_without_responses_has_its_readouts(tmp_path):
    words = write_model(tmp_path, "works", n=400)
    path = tmp_path / f"{READOUTS}.predictions.parquet"
    change(path, seen=pl.lit("alone"), keep=pl.col("address") == READ_BLOCK)
    words = flags(tmp_path, kind="encoder", items=[tmp_path / ITEMS], readouts=[path])
    decide.main(words)
    (row,) = read(tmp_path / OUT)
    assert row["verdict"] == "encoded" and row["seen"] == "alone"
    assert "sighted_value" not in row and row["alone_value"] == row["encoder_value"]


def test_a_model_without_evidence_gets_an_empty_table(tmp_path):
    write_model(tmp_path, "works", n=10)
    decide.main(flags(tmp_path, items=[tmp_path / ITEMS]))
    assert read(tmp_path / OUT) == []


def test_a_model_without_blind_responses_is_reported(tmp_path):
    words = [w for w in write_model(tmp_path, "works", n=200) if not w.endswith("blank.parquet")]
    decide.main(words)
    (row,) = read(tmp_path / OUT)
    assert row["verdict"] == "undecided" and "has no blind responses" in row["why"]
