"""Notebooks get finished results as matrices and frames, or an error about the missing file."""

import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from results_fixture import ITEM_TASKS, PICTURES, WIDTH, vectors, write_results

from eyechart import results
from eyechart.core.errors import UserError
from eyechart.tables.verdict import COMPARISONS, STAGES

DOCS = Path(__file__).resolve().parents[2] / "docs"
EXAMPLES = re.findall(r"```python\n(.*?)```", (DOCS / "notebooks.md").read_text(), re.DOTALL)
CLEVR = ("tiny_llava", "clevr")


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return write_results(tmp_path_factory.mktemp("finished"))


def test_pooled_activations_are_a_matrix_with_ids_and_labels_of_all_parts(root):
    found = results.activations(*CLEVR, "lm.2", "last", root=root)
    items = pl.read_parquet(root / "datasets/clevr/items.parquet")
    n = PICTURES * len(ITEM_TASKS)
    assert found.scope == "item" and found.matrix.shape == (n, WIDTH)
    assert found.matrix.dtype == np.float32 and found.places == []
    assert found.ids == items["item_id"].sort().to_list() == found.labels["item_id"].to_list()
    assert np.array_equal(found.matrix, vectors(found.ids, items).astype(np.float32))
    assert set(found.labels["task"]) == set(ITEM_TASKS)
    images = results.activations(*CLEVR, "connector", "image_mean", root=root)
    assert images.scope == "image" and images.labels["image_id"].to_list() == images.ids
    assert "label/has_red" in images.labels.columns


def test_tokens_are_ragged_with_their_places(root):
    found = results.activations(*CLEVR, "vision.3", "image_tokens", root=root)
    assert [v.shape for v in found.vectors[:2]] == [(2, WIDTH), (3, WIDTH)]
    assert [p.shape for p in found.places[:2]] == [(2, 7), (3, 7)]
    assert len(found.vectors) == len(found.places) == len(found.ids) == PICTURES
    with pytest.raises(UserError, match="keeps every image token and is not a matrix"):
        _ = found.matrix


def test_inconsistent_arguments_are_refused(tmp_path):
    root = write_results(tmp_path)
    items = root / "datasets/clevr/items.parquet"
    pl.read_parquet(items)[1:].write_parquet(items)
    with pytest.raises(UserError, match="but there are activations of it"):
        results.activations(*CLEVR, "lm.2", "last", root=root)
    (part, *_) = sorted(root.glob("extraction/*/*/item/part-*.parquet"))
    part.write_bytes(part.read_bytes() + b"x")
    with pytest.raises(UserError, match=f"{part}: bytes differ"):
        results.activations(*CLEVR, "lm.2", "last", root=root)
    (part.parent / "manifest.json").unlink()
    with pytest.raises(UserError, match=r"at 'lm\.2'; There are: connector, vision\.3"):
        results.activations(*CLEVR, "lm.2", "last", root=root)


def test_tables_are_frames_by_model_dataset_and_task(root):
    assert set(results.probes(*CLEVR, root=root)["task"]) > set(ITEM_TASKS)
    color = results.probes(*CLEVR, "color", root=root)
    assert set(color["task"]) == {"color"} and "selectivity" in color.columns
    predicted = results.probes(*CLEVR, "color", predictions=True, root=root)
    assert predicted.columns[:4] == ["model", "dataset", "task", "address"]
    assert len(predicted) == color["n_test"].sum()
    said = results.responses(*CLEVR, "color", condition="sighted", root=root)
    assert len(said) == PICTURES and said["answer"].null_count() == 0
    assert set(results.responses(root=root)["condition"]) > {"sighted", "blank"}
    assert set(results.scores(*CLEVR, "color", root=root)["task"]) == {"color"}
    shares = results.scores(*CLEVR, distributions=True, root=root)
    assert {"truth", "predicted"} <= set(shares.columns)
    read = results.readouts("tiny_llava", "six", "art_style", root=root)
    assert set(read["readout"]) == {"gram", "gram/shuffled"}
    assert len(results.concepts("tiny_llava", root=root)) == 1
    assert len(results.attention(*CLEVR, "color", root=root)) == 1
    assert len(results.interventions(*CLEVR, root=root)) == 1
    assert len(results.saliency(*CLEVR, root=root)) == 1
    assert len(results.tuning("tiny_llava", root=root)) == 1
    assert len(results.image_use("tiny_llava", root=root)) == 1
    assert len(results.speed("tiny_llava", root=root)) == 1
    assert len(results.patterns(root=root)) == 1
    assert len(results.patterns("tiny_llava", table="correlations", root=root)) == 1
    assert len(results.pairs("clevr", first="tiny_clip", root=root)) == 1
    with pytest.raises(UserError, match=r"first is 'tiny_dino'; .*tiny_clip"):
        results.pairs("clevr", first="tiny_dino", root=root)


def test_responses_can_be_rescored(root):
    said = results.responses(*CLEVR, "color", condition="sighted", root=root)
    assert results.responses(
        *CLEVR, "color", condition="sighted", scoring="mean", root=root
    ).equals(said)
    path = root / "behavior/responses/tiny_llava/clevr/sighted.parquet"
    kept = path.read_bytes()
    table = pl.read_parquet(path)
    first = pl.int_ranges(1, pl.col("tokens").list.len() + 1, dtype=pl.Int32)
    table.with_columns(tokens=first * first * 100).write_parquet(path)
    try:
        again = results.responses(*CLEVR, "color", condition="sighted", scoring="mean", root=root)
        by_sum = results.responses(*CLEVR, "color", condition="sighted", scoring="sum", root=root)
        assert by_sum["predicted"].equals(said["predicted"]) and set(by_sum["scoring"]) == {"sum"}
        assert not again["predicted"].equals(said["predicted"])
        with pytest.raises(UserError, match="scoring: 'pmi'"):
            results.responses(*CLEVR, "color", condition="sighted", scoring="pmi", root=root)
    finally:
        path.write_bytes(kept)
    with pytest.raises(UserError, match="scoring is 'men'; did you mean 'mean'"):
        results.responses(scoring="men", root=root)


def test_verdicts_have_classes_values_and_differences(root):
    classes = results.verdicts(root=root)
    assert len(classes["model"].unique()) == 4 and "why" in classes.columns
    own = results.verdicts("tiny_llava", "clevr", "color", table="values", root=root)
    assert own["stage"].to_list() == [*STAGES[1:]]
    tests = results.verdicts("tiny_llava", "clevr", "color", table="differences", root=root)
    assert tests["comparison"].to_list() == list(COMPARISONS)


def one(name: str, *names: str, **more: object):
    """Return a call of one of the module's functions on a results folder."""
    return lambda root: getattr(results, name)(*names, **{"root": root, **more})


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (
            one("activations", "tiny_lava", "clevr", "lm.2", "last"),
            "no activations: model is 'tiny_lava'; did you mean 'tiny_llava'? There are: tiny_llava"
            "; to create it, run 'snakemake --cores 2 "
            "{root}/extraction/tiny_lava/clevr/<scope>/manifest.json'",
        ),
        (
            one("activations", "tiny_llava", "clever", "lm.2", "last"),
            "no activations: dataset is 'clever'; did you mean 'clevr'?",
        ),
        (
            one("activations", *CLEVR, "lm.3", "last"),
            "no activations of tiny_llava on clevr at 'lm.3'; did you mean 'lm.2'? There are: "
            "connector, lm.2, vision.3; to extract more, add them to extraction.addresses",
        ),
        (
            one("activations", *CLEVR, "lm.2", "lst"),
            "at 'lm.2' with span 'lst'; did you mean 'last'? There are: last",
        ),
        (one("probes", *CLEVR, "colour"), "no probes: task is 'colour'; did you mean 'color'?"),
        (one("responses", *CLEVR, "colr"), "responses: task is 'colr'; did you mean 'color'?"),
        (one("concepts", table="cue"), "table is 'cue'; did you mean 'cues'"),
        (one("verdicts", table="class"), "table is 'class'; did you mean 'classes'"),
        (one("verdicts", "tiny_clip", "clevr", "colr"), "skill is 'colr'; did you mean 'color'"),
        (
            one("scores", root="nowhere"),
            "no scores: there are none in nowhere; to create it, run 'snakemake --cores 2 "
            "nowhere/behavior/scores/<model>/<dataset>.parquet'",
        ),
    ],
)
def test_a_missing_result_is_an_error_with_the_nearest_name_and_the_command(root, ask, said):
    with pytest.raises(UserError) as error:
        ask(root)
    assert said.format(root=root) in str(error.value) and "\n" not in str(error.value)


def test_the_default_results_folder_is_in_the_working_directory(root, monkeypatch):
    monkeypatch.chdir(root.parent)
    assert results.probes(*CLEVR, "color").equals(results.probes(*CLEVR, "color", root=root))


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_the_examples_of_the_docs_run(root, monkeypatch, capsys, number):
    monkeypatch.chdir(root.parent)
    exec(compile(EXAMPLES[number], f"example {number}", "exec"), {})
    assert capsys.readouterr().out.strip()


def test_there_are_three_examples():
    assert len(EXAMPLES) == 3
