"""Plan and refusals of tuning."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from eyechart.core.errors import UserError
from eyechart.plan import configuration
from eyechart.plan.tuning import TuningPlan

Config = dict[str, Any]


def tuning(config: Config) -> TuningPlan:
    return TuningPlan(config, configuration.read_specs())


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("tasks", {"clevrr": ["color"]}, "tuning.tasks: unknown dataset 'clevrr'.*'clevr'"),
        ("tasks", {"clevr": ["colour"]}, "tasks.clevr: unknown task 'colour'.*'color'"),
        ("others", ["mmvp_vlm"], "tuning.others: 'mmvp_vlm' holds statements for encoders"),
        ("models", ["tiny_lava"], "tuning.models: unknown vision-l.* 'tiny_lava'.*'tiny_llava'"),
        ("models", ["tiny_clip"], "tuning.models: unknown vision-language model 'tiny_clip'"),
        ("eval_every", 500, "tuning.eval_every is 500, expected at most tuning.steps, 40"),
    ],
)
def test_tuning_on_an_unknown_dataset_or_task_is_refused(
    key: str, value: object, sentence: str, config: Config
) -> None:
    config["tuning"] |= {"tasks": {"clevr": ["color"]}, key: value}
    with pytest.raises(UserError, match=sentence):
        tuning(config).check()


def test_tuning_depends_on_its_settings_and_the_prompts(config: Config) -> None:
    config["tuning"] |= {"tasks": {}, "models": None, "prompts": [1, 5, 10], "shuffled": True}
    assert tuning(config).comparisons() == []
    config["tuning"]["tasks"] = {"clevr": ["color", "size"]}
    of = SimpleNamespace(model="tiny_llava", dataset="clevr")
    plan = tuning(config)
    assert "<results>/tuning/tiny_llava.parquet" in plan.comparisons()
    assert "<results>/tuning/tiny_clip.parquet" not in plan.comparisons()
    answers = "<results>/tuning/tiny_llava/clevr/size/prompt_10/answers.parquet"
    assert len(plan.answers(of)) == 2 * 6 and answers in plan.answers(of)
    assert plan.trainings()[0].endswith("{arm}/true-0/adapter_config.json")
    assert json.loads(plan.settings(of))["data"] == ["true", "blank", "shuffled"]
    before = plan.settings(of), plan.table_settings()
    config["tuning"]["alpha"] = 0.05
    after = tuning(config).settings(of), tuning(config).table_settings()
    assert after[0] == before[0] and after[1] != before[1]
    config["behavior"]["scoring"] = "sum"
    assert json.loads(tuning(config).settings(of))["scoring"] == "sum"
    config["behavior"]["scoring"] = "pmi"
    with pytest.raises(UserError, match=r"^behavior.scoring is 'pmi' for 'clevr', expected mean"):
        tuning(config).check()


def test_changing_the_number_of_maps_retrains_nothing(config: Config) -> None:
    config["tuning"] |= {
        "tasks": {"clevr": ["color", "size"]},
        "arms": ["lora_lm"],
        "seeds": 2,
        "models": None,
    }
    of = SimpleNamespace(model="tiny_llava", dataset="clevr", task="size")
    before = tuning(config)
    trained, mapped = before.settings(of), before.map_settings(of)
    maps = "<results>/tuning/tiny_llava/clevr/size/maps.parquet"
    assert maps in before.maps() and maps in before.page_tables(of)
    folder = "<results>/tuning/tiny_llava/clevr/size/lora_lm/true-"
    assert {path.rpartition("/")[0] for path in before.adapters(of)} == {
        f"{folder}{n}" for n in (0, 1)
    }
    config["tuning"]["maps"] = 7
    assert tuning(config).settings(of) == trained
    assert json.loads(tuning(config).map_settings(of)) == json.loads(mapped) | {"maps": 7}
    config["tuning"]["maps"] = 0
    assert tuning(config).maps() == []
