"""The configuration: what is valid passes, and the first mistake becomes one sentence."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from eyechart import configuration, targets
from eyechart.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
FILES = ["config/tiny.yaml", "config/config.yaml"]
SCHEMA = yaml.safe_load(configuration.SCHEMA.read_text())


@pytest.fixture(autouse=True)
def in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def merged(*files: str) -> dict[str, Any]:
    config: dict[str, Any] = {}
    for file in files:
        merge(config, yaml.safe_load(Path(file).read_text()))
    return config


def merge(config: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(config.get(key), dict):
            merge(config[key], value)
        else:
            config[key] = copy.deepcopy(value)
    return config


def sentence(changes: dict[str, Any], files: list[str] = FILES) -> str:
    with pytest.raises(UserError) as caught:
        configuration.check(merge(merged(*FILES), changes), files)
    text = str(caught.value)
    assert "\n" not in text
    return text


def properties(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every key of the schema with its own schema."""
    for key, value in schema.get("properties", {}).items():
        yield f"{path}{key}", value
        yield from properties(value, f"{path}{key}.")
    for key, value in schema.get("$defs", {}).items():
        yield from properties(value, f"{key}.")


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield every part of the schema that describes a mapping."""
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield schema
        for value in schema.values():
            yield from objects(value)


def test_the_default_and_every_preset_are_valid() -> None:
    configuration.check(merged(*FILES), FILES)
    presets = [str(path) for path in Path("config/presets").glob("*.yaml")]
    assert presets
    for preset in presets:
        configuration.check(merged(*FILES, preset), [*FILES, preset])


def test_every_key_is_described_in_the_schema_and_named_in_the_readme() -> None:
    readme = Path("config/README.md").read_text()
    for path, schema in properties(SCHEMA):
        parent, key = path.rpartition(".")[::2]
        assert f"`{key}`" in readme, path
        # what a name stands for is said once, where it refers to; a task's name needs no words
        assert {"description", "$ref"} & set(schema) or parent in ("questions", "stage.favourites")


def test_no_mapping_takes_keys_that_nobody_reads() -> None:
    assert [o for o in objects(SCHEMA) if "additionalProperties" not in o] == []


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
        ({"studio": {"camera": {"fow": 3}}}, "'studio.camera.fow'; did you mean 'fov'?"),
        ({"seed": "x"}, "seed is 'x', expected a value of type integer"),
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
        ({"studio": {"objects": [3, 1]}}, "studio.objects is [3, 1], expected rising numbers"),
        (
            {"probing": {"probes": {"mlp": {"epochs": [1, 20, 10]}}}},
            "probing.probes.mlp.epochs is [1, 20, 10], expected rising numbers",
        ),
        (
            {"datasets": {"mmvp": {"splits": {"test": 17}}}},
            "datasets.mmvp.splits is {'test': 17}, expected one split with an even number",
        ),
        (
            {"datasets": {"clevr": {"splits": ["val"]}}},
            "datasets.clevr.splits is ['val'], expected for source 'render' how many pictures",
        ),
        (
            {"datasets": {"mine": {"layout": "clevr", "source": "render", "splits": {"val": 9}}}},
            "datasets.mine.source 'render' and layout 'clevr': the key 'shards' is missing",
        ),
    ],
)
def test_a_mistake_is_one_sentence_that_says_how_to_mend_it(
    changes: dict[str, Any], expected: str
) -> None:
    assert expected in sentence(changes)


def test_a_missing_key_is_named() -> None:
    config = merged(*FILES)
    del config["probing"]["folds"]
    with pytest.raises(UserError, match="probing: the key 'folds' is missing"):
        configuration.check(config, FILES)


def test_the_sentence_names_the_file_that_holds_the_mistake(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("seed: x\n")
    assert sentence({"seed": "x"}, [*FILES, str(own)]).startswith(f"{own}: seed")
    assert sentence({"seed": "x"}).startswith("--config: seed")
    assert sentence({"models": ["x"]}).startswith("--config: models")


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("results/probes/tiny_lava/clevr/color.parquet", "did you mean 'tiny_llava'?"),
        ("results/probes/tiny_llava/clever/color.parquet", "did you mean 'clevr'?"),
        ("results/probes/tiny_llava/clevr/colour.parquet", "did you mean 'color'?"),
        ("results/probes/tiny_clip/clevr/color.parquet", "unknown task of tiny_clip 'color'"),
        ("results/activations/tiny_lava/clevr/item/manifest.json", "did you mean 'tiny_llava'?"),
        ("results/models/x/card.json", "unknown model 'x'"),
        ("data/models/x/ready.json", "unknown model 'x'"),
        ("results/datasets/clever/items.parquet", "did you mean 'clevr'?"),
        ("data/raw/clever/acquired.json", "did you mean 'clevr'?"),
    ],
)
def test_an_unknown_name_in_a_target_is_told(target: str, expected: str) -> None:
    with pytest.raises(UserError) as caught:
        targets.check(merged(*FILES), configuration.read_specs(), [target])
    assert expected in str(caught.value)


def test_known_targets_and_all_other_arguments_pass() -> None:
    arguments = [
        *("-n", "all", "train_tiny", "--config", "seed=3", "results/report/index.html"),
        "results/probes/tiny_llava/clevr/color.predictions.parquet",
        "results/activations/tiny_clip/clevr/image/part-000.parquet",
    ]
    targets.check(merged(*FILES), configuration.read_specs(), arguments)


def test_canonical_json_forgets_the_order_of_keys_and_nothing_else() -> None:
    one = configuration.canonical({"lr": 0.1, "wd": 0.2, "grid": [1, 2]})
    assert one == configuration.canonical({"grid": [1, 2], "wd": 0.2, "lr": 0.1})
    assert one != configuration.canonical({"lr": 0.2, "wd": 0.1, "grid": [1, 2]})
    assert one != configuration.canonical({"lr": 0.1, "wd": 0.2, "grid": [2, 1]})


def test_an_encoder_is_asked_image_tasks_only() -> None:
    config, specs = merged(*FILES), configuration.read_specs()
    asked = configuration.tasks_for(config, specs, "tiny_clip", "clevr")
    assert asked
    assert {configuration.scope_of(config, "clevr", task) for task in asked} == {"image"}
    tasks = config["datasets"]["clevr"]["tasks"]
    assert configuration.tasks_for(config, specs, "tiny_llava", "clevr") == tasks
