"""The configuration: what is valid passes, and the first mistake becomes one sentence."""

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from pydantic import BaseModel

from eyechart.core.errors import UserError
from eyechart.plan import configuration, targets
from eyechart.plan.config import write_docs
from eyechart.plan.config.check import check
from eyechart.plan.config.root import RootConfig
from eyechart.plan.registry import LAYOUTS

ROOT = Path(__file__).resolve().parents[2]
DEMO = "config/config.yaml"
MINE = {"layout": "table", "source": "local", "path": "mine/questions.csv"}


@pytest.fixture(autouse=True)
def in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def demo() -> dict[str, Any]:
    return check(yaml.safe_load(Path(DEMO).read_text()), [DEMO])


def merge(config: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(config.get(key), dict):
            merge(config[key], value)
        else:
            config[key] = copy.deepcopy(value)
    return config


def refusal(config: dict[str, Any], *files: str) -> str:
    with pytest.raises(UserError) as caught:
        check(config, files)
    text = str(caught.value)
    assert "\n" not in text
    return text


def sentence(changes: dict[str, Any], *files: str) -> str:
    """Return what is said of the demo with changes that are given with ``--config``."""
    return refusal(merge(yaml.safe_load(Path(DEMO).read_text()), changes), DEMO, *files)


def filled(datasets: dict[str, Any], **sections: Any) -> dict[str, Any]:
    config = {"models": ["tiny_llava"], "datasets": datasets, **sections}
    return check(config, [])


def sections() -> dict[str, type[BaseModel]]:
    """Return every model of the configuration by its name."""
    found: dict[str, type[BaseModel]] = {}
    waiting: list[Any] = [RootConfig]
    while waiting:
        part = waiting.pop()
        waiting += getattr(part, "__args__", ())
        if isinstance(part, type) and issubclass(part, BaseModel) and part.__name__ not in found:
            found[part.__name__] = part
            waiting += [field.annotation for field in part.model_fields.values()]
    return found


def test_the_demo_and_every_preset_are_valid_alone() -> None:
    presets = [str(path) for path in Path("config/presets").glob("*.yaml")]
    assert presets
    for file in [DEMO, *presets]:
        check(yaml.safe_load(Path(file).read_text()), [file])


def test_the_demo_says_only_what_differs_from_the_defaults() -> None:
    assert len(Path(DEMO).read_text().splitlines()) < 80


def test_the_generated_files_are_those_of_the_models() -> None:
    for path, text in write_docs.files():
        assert path.read_text(encoding="utf-8") == text, f"{path}: run `make docs-config`"


def test_every_key_is_described() -> None:
    missing = [
        f"{name}.{key}"
        for name, section in sections().items()
        for key, field in section.model_fields.items()
        if not field.description
    ]
    assert len(sections()) > 40 and missing == []


def test_the_schema_and_the_models_agree_on_the_demo_and_the_presets() -> None:
    schema = jsonschema.Draft202012Validator(json.loads(Path(write_docs.SCHEMA).read_text()))
    for file in [Path(DEMO), *Path("config/presets").glob("*.yaml")]:
        schema.validate(yaml.safe_load(file.read_text()))
    wrong = yaml.safe_load(Path(DEMO).read_text())
    for change in ({"sed": 3}, {"seed": "x"}, {"datasets": {"clevr": {"sauce": 1}}}):
        assert not schema.is_valid(merge(copy.deepcopy(wrong), change))


def test_checking_needs_no_heavy_library() -> None:
    code = "import sys, eyechart.plan.config.check; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(ROOT / "workflow")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not {"numpy", "torch", "pyarrow", "polars"} & set(done.stdout.split())


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
            "datasets.clevr.splits is ['val'], expected for source 'render' how many images",
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
        ({"behavior": {"conditions": ["blank"]}}, "expected 'sighted' among them"),
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
        ({"loading": {"models": {"tiny_lava": {}}}}, "loading.models: unknown model 'tiny_lava'"),
    ],
)
def test_a_mistake_is_one_sentence_that_says_how_to_mend_it(
    changes: dict[str, Any], expected: str
) -> None:
    assert expected in sentence(changes)


def test_a_missing_key_is_named() -> None:
    assert "the configuration: the key 'models' is missing" in refusal({"datasets": {"a": MINE}})
    own = {"models": ["tiny_llava"], "datasets": {"a": {"layout": "table"}}}
    assert refusal(own).endswith("datasets.a: the key 'path' is missing")


def test_the_sentence_names_the_file_that_holds_the_mistake(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("seed: x\n")
    assert sentence({"seed": "x"}, str(own)).startswith(f"{own}: seed")
    assert sentence({"seed": "x"}).startswith("--config: seed")
    assert sentence({"models": ["x"]}).startswith("--config: models")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("seed: 1\nthreads: 2\nseed: 3\n", "the key 'seed' stands in line 1 and again in line 3"),
        (
            "datasets:\n  a: {parts: 1,\n    parts: 2}\n",
            "the key 'datasets.a.parts' stands in line 2 and again in line 3",
        ),
        ("x: [{a: 1, a: 2}]\n", "the key 'x.a' stands in line 1 and again in line 1"),
    ],
)
def test_a_key_that_stands_twice_in_a_file_is_refused(
    text: str, expected: str, tmp_path: Path
) -> None:
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
def test_mistakes_about_data_of_ones_own_are_told_as_well(
    changes: dict[str, Any], expected: str
) -> None:
    config = {"models": ["tiny_llava"], "datasets": {"mine": {**MINE, **changes}}}
    assert expected in refusal(config)


def test_what_is_written_is_kept_as_it_is_written() -> None:
    config = filled({"clevr": {"layout": "clevr", "source": "download", "test_share": 0.5}},
                    verdict={"margin": 0})  # fmt: skip
    assert configuration.canonical(config["verdict"]["margin"]) == "0"
    assert configuration.canonical(config["datasets"]["clevr"]["test_share"]) == "0.5"


def test_a_minimal_configuration_examines_its_own_data_and_nothing_else() -> None:
    config = filled({"mine": MINE})
    assert config["behavior"]["datasets"] == ["mine"]
    for section in ("readout", "attention", "concepts", "mining"):
        assert config[section]["datasets"] == []
    assert config["readout"]["depth"] is None and config["verdict"]["patterns"] == {}
    mine = config["datasets"]["mine"]
    assert mine == {**MINE, "splits": ["all"], "test_share": 0.25, "parts": 1, "tasks": []}


def test_a_dataset_is_examined_with_whatever_its_layout_allows() -> None:
    published = [name for name in LAYOUTS if "download" in LAYOUTS[name].sources]
    datasets = {name: {"layout": name, "source": "download"} for name in published}
    datasets["words"] = {"layout": "stroop", "source": "local", "path": "words"}
    config = filled(datasets)
    regions = [name for name in published if LAYOUTS[name].regions]
    assert config["behavior"]["datasets"] == [name for name in datasets if name != "nyuv2"]
    assert config["readout"]["datasets"] == config["attention"]["datasets"] == regions
    assert config["readout"]["depth"] == "nyuv2"
    assert config["concepts"]["datasets"] == ["words"]
    assert config["mining"]["datasets"] == []
    assert config["verdict"]["patterns"] == {"mmvp": "mmvp_vlm"}
    assert config["datasets"]["clevr"]["tasks"] == LAYOUTS["clevr"].tasks
    assert config["datasets"]["coco"]["tasks"] == [], "test_share is 1: nothing to train on"


def test_what_is_switched_off_stays_off() -> None:
    off: dict[str, Any] = {name: {"datasets": []} for name in ("behavior", "attention", "readout")}
    off["readout"]["depth"] = None
    sets = {name: {"layout": name, "source": "download"} for name in ("blink", "nyuv2")}
    config = filled(sets, probing={"probes": {"mlp": None}}, **off)
    assert [config[name]["datasets"] for name in off] == [[], [], []]
    assert config["readout"]["depth"] is None
    assert list(config["probing"]["probes"]) == ["linear"]


def test_tasks_of_ones_own_are_those_that_the_section_names() -> None:
    labels = {"columns": {"labels": {"weather": "sky"}}}
    assert filled({"mine": {**MINE, **labels}})["datasets"]["mine"]["tasks"] == ["weather"]
    closed = {"task": "swims", "choices": ["yes", "no"]}
    assert filled({"mine": {**MINE, **closed}})["datasets"]["mine"]["tasks"] == ["swims"]
    assert filled({"mine": {**MINE, **closed, "tasks": []}})["datasets"]["mine"]["tasks"] == []


def test_what_is_other_for_one_model_or_dataset_holds_nothing_else() -> None:
    config = filled(
        {"mochi": {"layout": "mochi", "source": "download", "canvas": {"canvas_px": None}}},
        loading={"models": {"tiny_llava": {"bits": 4}}},
        behavior={"by_dataset": {"mochi": {"most": None}}},
    )
    assert config["loading"]["models"] == {"tiny_llava": {"bits": 4}}
    assert config["behavior"]["by_dataset"] == {"mochi": {"most": None}}
    assert config["datasets"]["mochi"]["canvas"] == {"canvas_px": None}


def test_one_configuration_does_not_change_the_next() -> None:
    first = filled({"mine": MINE})
    first["probing"]["probes"]["mlp"]["hidden"] = 99
    first["tiny_models"]["recipe"]["text_scenes"]["questions"]["color"] = 99
    assert filled({"other": MINE})["behavior"]["datasets"] == ["other"]
    assert filled({"mine": MINE})["probing"]["probes"] == {"linear": {}, "mlp": {"hidden": 512}}
    assert filled({"mine": MINE})["tiny_models"]["recipe"]["text_scenes"]["questions"]["color"] == 1


def test_the_training_images_of_the_tiny_models_may_be_changed_in_part() -> None:
    config = filled({"mine": MINE, "clevr_pretrain": {"shards": 9}})
    assert config["datasets"]["clevr_pretrain"]["shards"] == 9
    assert config["datasets"]["clevr_pretrain"]["splits"] == {"train": 7500, "val": 400}
    assert config["behavior"]["datasets"] == ["mine"]


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
    ],
)
def test_an_unknown_name_in_a_target_is_told(target: str, expected: str) -> None:
    with pytest.raises(UserError) as caught:
        targets.check(demo(), configuration.read_specs(), [target])
    assert expected in str(caught.value)


def test_known_targets_and_all_other_arguments_pass() -> None:
    arguments = [
        *("-n", "all", "train_tiny", "--config", "seed=3", "results/report/index.html"),
        "results/probing/tiny_llava/clevr/color.predictions.parquet",
        "results/extraction/tiny_clip/clevr/image/part-000.parquet",
    ]
    targets.check(demo(), configuration.read_specs(), arguments)


def test_canonical_json_forgets_the_order_of_keys_and_nothing_else() -> None:
    one = configuration.canonical({"lr": 0.1, "wd": 0.2, "grid": [1, 2]})
    assert one == configuration.canonical({"grid": [1, 2], "wd": 0.2, "lr": 0.1})
    assert one != configuration.canonical({"lr": 0.2, "wd": 0.1, "grid": [1, 2]})
    assert one != configuration.canonical({"lr": 0.1, "wd": 0.2, "grid": [2, 1]})


def test_an_encoder_is_asked_image_tasks_only() -> None:
    config, specs = demo(), configuration.read_specs()
    asked = configuration.tasks_for(config, specs, "tiny_clip", "clevr")
    assert asked
    assert {configuration.scope_of(config, "clevr", task) for task in asked} == {"image"}
    tasks = config["datasets"]["clevr"]["tasks"]
    assert configuration.tasks_for(config, specs, "tiny_llava", "clevr") == tasks
