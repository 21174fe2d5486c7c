"""The configuration: valid values pass, and omitted values have defaults."""

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from pydantic import BaseModel

from eyechart.core.errors import UserError
from eyechart.plan import configuration
from eyechart.plan.config import write_docs
from eyechart.plan.config.check import check
from eyechart.plan.config.root import RootConfig
from eyechart.plan.registry import LAYOUTS

ROOT = Path(__file__).resolve().parents[2]
DEMO, FULL = "config/config.yaml", "config/presets/full_demo.yaml"
MINE = {"layout": "table", "source": "local", "path": "mine/questions.csv"}


@pytest.fixture(autouse=True)
def in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def demo() -> dict[str, Any]:
    return check(yaml.safe_load(Path(FULL).read_text()), [FULL])


def merge(config: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(config.get(key), dict):
            merge(config[key], value)
        else:
            config[key] = copy.deepcopy(value)
    return config


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


def test_the_demo_config_has_only_non_default_values() -> None:
    assert len(Path(DEMO).read_text().splitlines()) < 80


def test_the_generated_files_match_the_models() -> None:
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


def test_values_are_kept_as_written() -> None:
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


def test_a_dataset_is_examined_with_all_stages_that_its_layout_allows() -> None:
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
    assert config["datasets"]["coco"]["tasks"] == [], "test_share is 1: no training set"


def test_stages_that_are_switched_off_stay_off() -> None:
    off: dict[str, Any] = {name: {"datasets": []} for name in ("behavior", "attention", "readout")}
    off["readout"]["depth"] = None
    sets = {name: {"layout": name, "source": "download"} for name in ("blink", "nyuv2")}
    config = filled(sets, probing={"probes": {"mlp": None}}, **off)
    assert [config[name]["datasets"] for name in off] == [[], [], []]
    assert config["readout"]["depth"] is None
    assert list(config["probing"]["probes"]) == ["linear"]


def test_tasks_of_user_data_are_those_in_the_section() -> None:
    labels = {"columns": {"labels": {"weather": "sky"}}}
    assert filled({"mine": {**MINE, **labels}})["datasets"]["mine"]["tasks"] == ["weather"]
    closed = {"task": "swims", "choices": ["yes", "no"]}
    assert filled({"mine": {**MINE, **closed}})["datasets"]["mine"]["tasks"] == ["swims"]
    assert filled({"mine": {**MINE, **closed, "tasks": []}})["datasets"]["mine"]["tasks"] == []


def test_overrides_contain_only_the_given_keys() -> None:
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


def test_canonical_json_ignores_only_key_order() -> None:
    one = configuration.canonical({"lr": 0.1, "wd": 0.2, "grid": [1, 2]})
    assert one == configuration.canonical({"grid": [1, 2], "wd": 0.2, "lr": 0.1})
    assert one != configuration.canonical({"lr": 0.2, "wd": 0.1, "grid": [1, 2]})
    assert one != configuration.canonical({"lr": 0.1, "wd": 0.2, "grid": [2, 1]})


def test_an_encoder_has_image_tasks_only() -> None:
    config, specs = demo(), configuration.read_specs()
    asked = configuration.tasks_for(config, specs, "tiny_clip", "clevr")
    assert asked
    assert {configuration.scope_of(config, "clevr", task) for task in asked} == {"image"}
    tasks = config["datasets"]["clevr"]["tasks"]
    assert configuration.tasks_for(config, specs, "tiny_llava", "clevr") == tasks


@pytest.mark.parametrize(
    ("written", "key", "expected"),
    [
        ({"verdict": {"margin": "0.2"}}, "verdict.margin", 0.2),
        ({"probing": {"seeds": "2"}}, "probing.seeds", 2),
        ({"behavior": {"batch_size": "16"}}, "behavior.batch_size", 16),
        ({"report": {"title": "7"}}, "report.title", "7"),
        ({"verdict": {"margin": "much"}}, None, "verdict.margin is 'much', expected a number"),
        ({"verdict": {"margin": "7"}}, None, "verdict.margin is 7"),
    ],
)
def test_nested_values_of_the_command_line_are_numbers(
    written: dict[str, Any], key: str | None, expected: Any
) -> None:
    """Snakemake reads ``--config 'verdict={margin: 0.2}'`` as the text 0.2."""
    config = merge(yaml.safe_load(Path(DEMO).read_text()), written)
    if key is None:
        with pytest.raises(UserError, match=expected):
            check(config, [DEMO])
        return
    section, name = key.split(".")
    assert check(config, [DEMO])[section][name] == expected


def test_a_number_in_quotes_in_a_file_is_a_mistake(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(f"{Path(DEMO).read_text()}\nverdict: {{margin: '0.2'}}\n")
    with pytest.raises(UserError, match=r"verdict.margin is '0.2', expected a number"):
        check(yaml.safe_load(file.read_text()), [file])
