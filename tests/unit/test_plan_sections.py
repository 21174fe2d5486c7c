"""Plans and refusals of readouts, concepts, attention and verdicts."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from eyechart.core.errors import UserError
from eyechart.plan import configuration, targets
from eyechart.plan.mining import MiningPlan
from eyechart.plan.report import ReportPlan
from eyechart.plan.saliency import SaliencyPlan
from eyechart.plan.workflow import WorkflowPlan

Config = dict[str, Any]
ASKED = SimpleNamespace(model="tiny_llava", dataset="cv_bench")
OF_CLIP = SimpleNamespace(model="tiny_clip", dataset="cv_bench")


def exam(config: Config) -> WorkflowPlan:
    return WorkflowPlan(config, configuration.read_specs())


@pytest.mark.parametrize(
    ("section", "key", "value", "sentence"),
    [
        ("readout", "datasets", ["mochy"], "readout.datasets: unknown dataset 'mochy'.*'mochi'"),
        ("readout", "datasets", ["clevr"], "layout 'clevr', which marks no regions"),
        ("readout", "depth", "nyu", "readout.depth: unknown dataset 'nyu'.*'nyuv2'"),
        ("readout", "depth", "mochi", "whose layout 'mochi' has no depth"),
        ("concepts", "datasets", ["clevr"], "'clevr' has the layout 'clevr', expected 'stroop'"),
        ("concepts", "datasets", ["strop"], "concepts.datasets: unknown dataset 'strop'"),
        ("attention", "datasets", ["mmvp_vlm"], "'mmvp_vlm' holds statements for encoders"),
        ("interventions", "datasets", ["clevrr"], "unknown dataset 'clevrr'.*'clevr'"),
        ("interventions", "datasets", ["mmvp_vlm"], "'mmvp_vlm' holds statements for enc"),
        ("interventions", "edits", ["pach"], "interventions.edits: 'pach'; did you mean 'patch'"),
        ("interventions", "tasks", {"clevr": ["colour"]}, "tasks.clevr: unknown task.*'color'"),
        ("interventions", "models", ["tiny_clip"], "unknown vision-language model 'tiny_clip'"),
        ("saliency", "datasets", ["clevrr"], "unknown dataset 'clevrr'.*'clevr'"),
        ("verdict", "blind", "swapped", "verdict.blind is 'swapped', which behavior.conditions"),
        ("verdict", "patterns", {"mmvp": "mvp"}, "verdict.patterns: unknown dataset 'mvp'"),
    ],
)
def test_a_section_with_unknown_names_is_refused_in_one_sentence(
    section: str, key: str, value: object, sentence: str, config: Config
) -> None:
    config["behavior"]["conditions"] = ["sighted", "blank"]
    config[section][key] = value
    with pytest.raises(UserError, match=sentence):
        exam(config).check()


def test_images_are_mined_in_one_job_or_one_job_per_pair_of_parts(config: Config) -> None:
    of = {"first": "tiny_clip", "second": "tiny_llava", "dataset": "clevr"}
    config["mining"]["vectors"] = {"tiny_clip": "connector/cls", "tiny_llava": "vision.3/cls"}
    plan = MiningPlan(config)
    assert "clevr" in plan.parted_pattern(False).split("|")
    assert plan.parted_pattern(True) == "(?!)"
    config["mining"]["parts"] = 3
    assert plan.parted_pattern(False) == "(?!)"
    names = [path.rpartition("/")[2] for path in plan.part_tables(of)]
    assert names == [f"00{a}-00{b}.parquet" for a, b in ("00", "01", "02", "11", "12", "22")]
    asked = json.loads(plan.settings("centre")(SimpleNamespace(**of)))
    assert asked == {"centre": True, "first": "connector/cls", "second": "vision.3/cls"}


def saliency(config: Config) -> SaliencyPlan:
    return SaliencyPlan(config, configuration.read_specs())


def test_saliency_is_off_by_default_and_depends_on_its_own_settings(config: Config) -> None:
    assert list(saliency(config).runs()) == []
    config["saliency"]["datasets"] = ["clevr"]
    of = SimpleNamespace(model="tiny_llava", dataset="clevr")
    runs = {model for model, _ in saliency(config).runs()}
    assert {"tiny_llava", "tiny_clip"} <= runs  # also an encoder with a text tower
    before = saliency(config).settings(of)
    assert json.loads(before)["steps"] == 32 and json.loads(before)["choices"] == "text"
    config["saliency"]["bootstrap"] = 200
    assert saliency(config).settings(of) == before
    assert json.loads(saliency(config).summary_settings(of)) == {"draws": 200}
    config["saliency"]["methods"] = ["gradient"]
    assert saliency(config).settings(of) != before
    tables = saliency(config).tables("summary")
    assert "<results>/saliency/tiny_llava/clevr/summary.parquet" in tables


def test_interventions_are_off_by_default_and_depend_on_their_own_settings(config: Config) -> None:
    assert list(exam(config).interventions.runs()) == []
    config["interventions"]["datasets"] = ["clevr"]
    of = SimpleNamespace(model="tiny_llava", dataset="clevr")

    def slices() -> tuple[str, str, str]:
        plan = exam(config).interventions
        return plan.settings(of), plan.effect_settings(of), plan.code(of)

    runs = {model for model, _ in exam(config).interventions.runs()}
    assert "tiny_llava" in runs and "tiny_clip" not in runs
    before = slices()
    assert json.loads(before[0])["options"]["erase"]["random"] == 2
    config["verdict"]["margin"] = 0.2
    changed = slices()
    assert [a == b for a, b in zip(before, changed, strict=True)] == [True, False, True]
    config["interventions"]["edits"] = ["patch"]
    later = slices()
    assert [a == b for a, b in zip(changed, later, strict=True)] == [False, True, False]
    assert list(json.loads(later[0])["options"]) == ["patch"]
    assert json.loads(later[0])["tasks"] is None
    config["interventions"] |= {"tasks": {"clevr": ["color"]}, "models": ["tiny_llava"]}
    assert json.loads(slices()[0])["tasks"] == ["color"]
    assert list(exam(config).interventions.runs()) == [("tiny_llava", "clevr")]
    assert "results/interventions/tiny_llava/clevr/effects.parquet" in [
        path.replace("<results>", "results")
        for path in exam(config).interventions.tables("effects")
    ]


def test_the_verdict_and_the_page_read_the_effects_of_every_edited_model(config: Config) -> None:
    of = SimpleNamespace(model="tiny_llava", dataset="clevr")
    assert exam(config).verdict.effects(of) == exam(config).verdict.erasers(of) == []
    config["interventions"]["datasets"] = ["clevr"]
    plan = exam(config)
    (effects,), (erasers,) = plan.verdict.effects(of), plan.verdict.erasers(of)
    assert effects.endswith("interventions/tiny_llava/clevr/effects.parquet")
    assert erasers == effects.replace("effects", "erasers")
    assert plan.verdict.effects(SimpleNamespace(model="tiny_clip", dataset="clevr")) == []
    report = ReportPlan(plan, MiningPlan(config))
    assert effects in report.page_inputs()
    drawn = report.figure_inputs("interventions")
    assert drawn(of) == [effects]


def test_all_tokens_are_stored_only_if_a_stage_reads_them(config: Config) -> None:
    def spans(dataset: str) -> list[str]:
        told = exam(config).extraction.settings(
            SimpleNamespace(model="tiny_llava", dataset=dataset)
        )
        return list(json.loads(told)["spans"])

    assert "image_tokens" in spans("blink") and "image_tokens" in spans("nyuv2")
    assert "image_tokens" not in spans("clevr") + spans("stroop")
    config["datasets"]["blink"]["tasks"] = ["art_style"]
    assert set(config["extraction"]["spans"]) < set(spans("blink")), "probes also need their spans"


def test_no_selection_of_layers_drops_the_connectors_input(config: Config) -> None:
    def addresses(dataset: str) -> list[str]:
        told = exam(config).extraction.settings(
            SimpleNamespace(model="tiny_llava", dataset=dataset)
        )
        return list(json.loads(told)["addresses"])

    config["readout"]["addresses"] = ["vision.*[1369]", "connector", "lm.norm"]
    assert "vision.read" in addresses("blink")
    config["extraction"]["addresses"] = ["lm.*"]
    assert "vision.read" not in addresses("clevr")  # no address of the encoder was requested


def test_patterns_with_few_pairs_are_reported_before_anything_runs(config: Config) -> None:
    (warning,) = exam(config).verdict.few_warnings()
    assert "nine patterns of mmvp has about" in warning and "at least 68" in warning
    config["datasets"]["mmvp"]["splits"] = {"test": 68 * 9}
    assert exam(config).verdict.few_warnings() == []


def test_a_datasets_canvas_overrides_the_global_one(config: Config) -> None:
    def shown(dataset: str) -> Config:
        found: Config = json.loads(exam(config).prepare_settings(SimpleNamespace(dataset=dataset)))
        return found

    config["datasets"]["mochi"]["canvas"] = {"marks": False}
    assert shown("mochi")["marks"] is False
    assert shown("blink")["marks"] is True
    assert "marks" not in shown("clevr")


def test_depth_heads_are_trained_only_if_depth_is_requested(config: Config) -> None:
    readout = exam(config).readout
    assert readout.heads(ASKED) == ["<results>/readout/tiny_llava/depth_heads.safetensors"]
    assert readout.heads(SimpleNamespace(model="tiny_llava", dataset="mochi")) == []
    config["readout"]["datasets"] = ["mochi"]
    assert exam(config).readout.head_errors() == []


def test_a_model_that_does_not_answer_has_readouts_without_answers(config: Config) -> None:
    readout = exam(config).readout
    dino = SimpleNamespace(model="tiny_dino", dataset="cv_bench")
    assert readout.responses(ASKED) == [
        "<results>/behavior/responses/tiny_llava/cv_bench/sighted.parquet"
    ]
    assert readout.responses(dino) == [] == readout.scores(dino)


def test_a_verdict_uses_all_evidence_about_a_model(config: Config) -> None:
    verdict = exam(config).verdict
    responses = verdict.responses(ASKED)
    assert "<results>/behavior/responses/tiny_llava/blink/blank.parquet" in responses
    assert "<results>/behavior/responses/tiny_llava/mmvp_vlm/sighted.parquet" not in responses
    asked = ["color", "shape", "material", "size", "number", "boolean"]
    assert verdict.probes(ASKED) == [
        f"<results>/probing/tiny_llava/clevr/{task}.parquet" for task in asked
    ], "image tasks are not skills"
    assert verdict.encoder_responses(ASKED) == [
        f"<results>/behavior/responses/tiny_clip/mmvp_vlm/{c}.parquet" for c in ("sighted", "blank")
    ]
    assert verdict.encoder_responses(OF_CLIP) == [], "an encoder contains no encoder"


def test_a_verdict_gets_probes_only_with_their_items(config: Config) -> None:
    dino = SimpleNamespace(model="tiny_dino")  # all its probes are image tasks
    verdict = exam(config).verdict
    assert "<results>/datasets/clevr/items.parquet" not in verdict.items(dino)
    assert verdict.probes(dino) == verdict.probe_predictions(dino) == []


def test_patterns_without_a_model_are_not_reported(config: Config) -> None:
    assert json.loads(exam(config).verdict.settings(ASKED))["patterns"] == {"mmvp": "mmvp_vlm"}
    config["behavior"]["datasets"].remove("mmvp_vlm")
    assert json.loads(exam(config).verdict.settings(ASKED))["patterns"] == {}


def test_only_language_models_are_traced(config: Config) -> None:
    models = {model for model, _ in exam(config).attention.runs()}
    assert models == {"tiny_llava", "tiny_llava_aligned"}


@pytest.mark.parametrize(
    ("target", "hint"),
    [
        ("results/readout/tiny_lava/blink.parquet", "did you mean 'tiny_llava'?"),
        ("results/readout/tiny_llava/blnk.parquet", "did you mean 'blink'?"),
        ("results/concepts/tiny_llava/strop/cues.parquet", "did you mean 'stroop'?"),
        ("results/attention/tiny_llava/blnk/lens.parquet", "did you mean 'blink'?"),
        ("results/verdict/tiny_lava.parquet", "did you mean 'tiny_llava'?"),
        ("results/verdict/tiny_lava.classes.parquet", "unknown model 'tiny_lava'; did you"),
    ],
)
def test_a_misspelt_target_is_reported_with_the_nearest_name(
    target: str, hint: str, config: Config
) -> None:
    with pytest.raises(UserError) as found:
        targets.check(config, configuration.read_specs(), [target])
    assert hint in str(found.value)


def test_a_dataset_may_be_limited_to_some_models(config: Config) -> None:
    for dataset in ("clevr", "cv_bench", "stroop"):
        config["datasets"][dataset]["models"] = ["tiny_clip", "tiny_llava"]
    plan = exam(config)
    plan.check()
    stages = (plan.behavior, plan.readout, plan.concepts, plan.attention)
    runs = [*plan.probing_runs(), *(run for stage in stages for run in stage.runs())]
    chosen = {m for m, d in runs if d in ("clevr", "cv_bench", "stroop")}
    assert chosen == {"tiny_clip", "tiny_llava"}
    assert {m for m, d in runs if d == "blink"} == set(config["models"])
    left = [e.dataset for e in plan.verdict.evidence("tiny_llava_aligned")]
    assert "blink" in left and not {"clevr", "cv_bench", "stroop"} & set(left)
    assert not any("aligned" in path or "dino" in path for path in plan.readout.head_errors())


def test_a_target_for_an_excluded_model_is_refused(config: Config) -> None:
    config["datasets"]["blink"]["models"] = ["tiny_llava"]
    target = "results/readout/tiny_llava_aligned/blink.parquet"
    with pytest.raises(UserError, match=r"datasets\.blink\.models: unknown model 'tiny_llava_al"):
        targets.check(config, configuration.read_specs(), [target])
    targets.check(config, configuration.read_specs(), [target.replace("_aligned", "")])
    config["datasets"]["blink"]["models"] = ["tiny_lava"]
    with pytest.raises(UserError, match=r"datasets\.blink\.models: unknown model 'tiny_lava'; did"):
        exam(config).check()
