"""The first mistake in the configuration or the targets raises a one-sentence error."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from test_plan_configuration import FULL, MINE, ROOT, demo, merge

from eyechart.core.errors import UserError
from eyechart.plan import configuration, targets
from eyechart.plan.config.check import check


@pytest.fixture(autouse=True)
def in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def refusal(config: dict[str, Any], *files: str) -> str:
    with pytest.raises(UserError) as caught:
        check(config, files)
    text = str(caught.value)
    assert "\n" not in text
    return text


def sentence(changes: dict[str, Any], *files: str) -> str:
    """Return the error for the full demo with changes given by ``--config``."""
    return refusal(merge(yaml.safe_load(Path(FULL).read_text()), changes), FULL, *files)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"sed": 3}, "unknown key 'sed'; did you mean 'seed'?"),
        ({"extraction": {"adresses": []}}, "'extraction.adresses'; did you mean 'addresses'?"),
        ({"datasets": {"clevr": {"sauce": 1}}}, "'datasets.clevr.sauce'; did you mean 'source'?"),
        (
            {"datasets": {"clevr": {"source": "rendr"}}},
            "datasets.clevr.source is 'rendr'; did you mean 'render'? "
            "There are: download, local, render",
        ),
        ({"extraction": {"spans": ["lst"]}}, "extraction.spans.0 is 'lst'; did you mean 'last'?"),
        ({"probing": {"probes": {"linaer": {}}}}, "did you mean 'linear'?"),
        ({"rendering": {"camera": {"fow": 3}}}, "'rendering.camera.fow'; did you mean 'fov'?"),
        ({"seed": "x"}, "seed is 'x', expected a whole number"),
        ({"probing": {"folds": 1}}, "probing.folds is 1, expected at least 2"),
        ({"mining": {"parts": 0}}, "mining.parts is 0, expected at least 1"),
        ({"mining": {"recall": 1}}, "mining.recall is 1, expected at most 0.999"),
        ({"mining": {"engine": "fais"}}, "mining.engine is 'fais'; did you mean 'faiss'?"),
        (
            {"mining": {"engine": "faiss", "parts": 3}},
            "mining.parts is 3 with engine 'faiss', expected 1, as it searches in one job",
        ),
        ({"report": {"alpha": 1}}, "report.alpha is 1, expected less than 1"),
        ({"models": []}, "models is [], expected at least 1 entries"),
        ({"extraction": {"prompt": "hello"}}, "extraction.prompt is 'hello', expected the form"),
        ({"models": ["tiny_lava"]}, "unknown model 'tiny_lava'; did you mean 'tiny_llava'?"),
        (
            {"datasets": {"clevr": {"tasks": ["colour"]}}},
            "datasets.clevr.tasks: unknown task 'colour'; did you mean 'color'?",
        ),
        (
            {"datasets": {"clevr": {"source": "local"}}},
            "source 'local' and layout 'clevr': the key 'path' is missing",
        ),
        ({"datasets": {"cleverr": {"parts": 3}}}, "datasets.cleverr: the key 'layout' is missing"),
        ({"remote_code": ["tiny_lava"]}, "remote_code: unknown model 'tiny_lava'; did you mean"),
        ({"checkpoints": {"tiny_lava": "x"}}, "checkpoints: unknown model 'tiny_lava'"),
        (
            {"revisions": {"tiny_llava": "main"}},
            "revisions.tiny_llava is 'main', expected the form",
        ),
        ({"pathvars": {"results": "x"}}, "unknown key 'pathvars'"),
        ({"probing": {"patience": 2}}, "unknown key 'probing.patience'"),
        ({"probing": {"probes": {"logistic": {}}}}, "unknown key 'probing.probes.logistic'"),
        (
            {"rendering": {"objects": [3, 1]}},
            "rendering.objects is [3, 1], expected rising numbers",
        ),
        (
            {"probing": {"probes": {"mlp": {"epochs": [1, 20, 10]}}}},
            "unknown key 'probing.probes.mlp.epochs'",
        ),
        (
            {"datasets": {"mmvp": {"splits": {"test": 17}}}},
            "datasets.mmvp.splits is {'test': 17}, expected one split with an even number",
        ),
        (
            {"datasets": {"clevr": {"splits": ["val"]}}},
            "datasets.clevr.splits is ['val'], expected for source 'render' the number of images",
        ),
        (
            {"datasets": {"mine": {"layout": "clevr", "source": "render"}}},
            "datasets.mine.source 'render' and layout 'clevr': the key 'splits' is missing",
        ),
        ({"seed": True}, "seed is True, expected a whole number"),
        (
            {"extraction": {"batch_size": "all"}},
            "extraction.batch_size is 'all', expected a whole number or 'auto'",
        ),
        (
            {"datasets": {"clevr": {"splits": 3}}},
            "splits is 3, expected keys with values or a list",
        ),
        ({"datasets": {"clevr": {"layout": "clever"}}}, "is 'clever'; did you mean 'clevr'?"),
        ({"datasets": []}, "datasets is [], expected keys with values"),
        ({"behavior": {"conditions": ["blank"]}}, "expected at least 'sighted'"),
        ({"probing": {"probes": {"mlp": None, "linear": None}}}, "at least one kind of probe"),
        (
            {"datasets": {"stroop": {"palette": {"a": [1, 2], "b": [1, 2, 3]}}}},
            "datasets.stroop.palette.a is [1, 2], expected at least 3 entries",
        ),
        (
            {"datasets": {"clevr": {"splits": {"train": 0}}}},
            "datasets.clevr.splits.train is 0, expected at least 1",
        ),
        ({"models": ["tiny_clip", "tiny_clip"]}, "expected every entry once"),
        ({"report": {"figures": ["verdicts"]}}, "is 'verdicts'; did you mean 'verdict'?"),
        ({"loading": {"models": {"tiny_lava": {}}}}, "loading.models: unknown model 'tiny_lava'"),
    ],
)
def test_a_mistake_is_a_one_sentence_error_with_the_remedy(
    changes: dict[str, Any], expected: str
) -> None:
    assert expected in sentence(changes)


def test_a_missing_key_is_reported() -> None:
    assert "the configuration: the key 'models' is missing" in refusal({"datasets": {"a": MINE}})
    own = {"models": ["tiny_llava"], "datasets": {"a": {"layout": "table"}}}
    assert refusal(own).endswith("datasets.a: the key 'path' is missing")


def test_the_error_gives_the_file_with_the_mistake(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("seed: x\n")
    assert sentence({"seed": "x"}, str(own)).startswith(f"{own}: seed")
    assert sentence({"seed": "x"}).startswith("--config: seed")
    assert sentence({"models": ["x"]}).startswith("--config: models")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("seed: 1\nthreads: 2\nseed: 3\n", "the key 'seed' is in line 1 and again in line 3"),
        (
            "datasets:\n  a: {parts: 1,\n    parts: 2}\n",
            "the key 'datasets.a.parts' is in line 2 and again in line 3",
        ),
        ("x: [{a: 1, a: 2}]\n", "the key 'x.a' is in line 1 and again in line 1"),
    ],
)
def test_a_duplicate_key_in_a_file_is_refused(text: str, expected: str, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(text)
    assert refusal(yaml.safe_load(text), str(own)).startswith(f"{own}: {expected}")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"choices": [True, False]}, "datasets.mine.choices.0 is True, expected text; YAML reads"),
        ({"task": True}, "datasets.mine.task is True, expected text; YAML reads yes, no"),
        ({"splits": [2024]}, "datasets.mine.splits.0 is 2024, expected text"),
        ({"columns": {"labels": {True: "a"}}}, "columns.labels: the key is True, expected text"),
        ({"shards": 2}, "unknown key 'datasets.mine.shards'"),
        ({"source": "render"}, "datasets.mine.source is 'render'; There are: local"),
    ],
)
def test_mistakes_in_user_data_are_reported_too(changes: dict[str, Any], expected: str) -> None:
    config = {"models": ["tiny_llava"], "datasets": {"mine": {**MINE, **changes}}}
    assert expected in refusal(config)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("results/probing/tiny_lava/clevr/color.parquet", "did you mean 'tiny_llava'?"),
        ("results/probing/tiny_llava/clever/color.parquet", "did you mean 'clevr'?"),
        ("results/probing/tiny_llava/clevr/colour.parquet", "did you mean 'color'?"),
        ("results/probing/tiny_clip/clevr/color.parquet", "unknown task of tiny_clip 'color'"),
        ("results/extraction/tiny_lava/clevr/item/manifest.json", "did you mean 'tiny_llava'?"),
        ("results/models/x/card.json", "unknown model 'x'"),
        ("data/models/x/ready.json", "unknown model 'x'"),
        ("results/datasets/clever/items.parquet", "did you mean 'clevr'?"),
        ("data/raw/clever/acquired.json", "did you mean 'clevr'?"),
        (
            "results/readout/tiny_clip/blink/relative_depth.parquet",
            "no rule makes this; expected results/readout/{model}/{dataset}.parquet or ",
        ),
        ("results/readuot/tiny_clip/blink.parquet", "no rule makes this; did you mean 'readout'?"),
    ],
)
def test_an_unknown_name_in_a_target_is_reported(target: str, expected: str) -> None:
    with pytest.raises(UserError) as caught:
        targets.check(demo(), configuration.read_specs(), [target])
    assert expected in str(caught.value)


def test_a_file_that_no_rule_makes_is_reported_in_a_named_run() -> None:
    with pytest.raises(UserError, match="no rule makes this; did you mean 'verdict'"):
        target = "runs/x/results/verdct/a.parquet"
        targets.check(demo(), configuration.read_specs(), ["-n", target], "runs/x/results")


def test_known_targets_and_all_other_arguments_pass() -> None:
    arguments = [
        *("-n", "all", "train_tiny", "--config", "seed=3", "results/report/index.html"),
        "results/probing/tiny_llava/clevr/color.predictions.parquet",
        "results/extraction/tiny_clip/clevr/image/part-000.parquet",
        *("--report", "results/my_report.html"),
        *("--cleanup-metadata", "results/old.parquet", "results/models/dropped/card.json"),
    ]
    targets.check(demo(), configuration.read_specs(), arguments)
    with pytest.raises(UserError, match="no rule makes this"):
        targets.check(demo(), configuration.read_specs(), [*arguments, "-n", "results/old.parquet"])
