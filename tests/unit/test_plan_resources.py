"""Jobs request more for larger models, larger datasets and retries, and never too little."""

import copy
import dataclasses
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from eyechart.plan import configuration
from eyechart.plan import resources as sizing
from eyechart.plan import sizes as estimates
from eyechart.plan.resources import JobResources

ROOT = Path(__file__).resolve().parents[2]
NOWHERE = "no results"  # a folder without results, so no dataset is prepared
JOB = SimpleNamespace(
    dataset="clevr", split="train", shard="000", part="000", model="tiny_llava", scope="item",
    task="color", first="tiny_clip", second="tiny_llava",
)  # fmt: skip
OF_A_MODEL = [
    *("card_mb", "card_minutes", "model_mb", "extraction_minutes"),
    *("manifest_minutes", "probing_mb", "probing_minutes"),
]
OF_A_DATASET = [
    *("scene_minutes", "dataset_mb", "dataset_minutes", "extraction_minutes", "manifest_minutes"),
    *("probing_mb", "probing_minutes", "mining_mb", "mining_minutes", "aligning_minutes"),
]
# Measured on a CPU: the rule's method, changes of the model, MB or seconds
MEASURED = [
    ("card_mb", {}, 426),
    ("model_mb", {}, 528),
    ("model_mb", {"parameters": 64_000_000}, 1189),
    ("probing_mb", {}, 400),
    ("scene_minutes", {}, 350 * 0.29),
    ("dataset_mb", {}, 362),
]


read_specs = cache(configuration.read_specs)
LARGE = {"parameters": 72 * 10**9, "dtype": "bfloat16"}


def sizes(
    config: dict[str, Any], spec: dict[str, Any] | None = None, **changes: Any
) -> JobResources:
    """Return the sizes with some fields of tiny_llava's spec, of clevr and of sections changed."""
    changed = copy.deepcopy(config)
    changed["datasets"]["clevr"].update(changes.pop("clevr", {}))
    for section, values in changes.items():
        changed[section].update(values)
    specs = dict(read_specs())
    specs["tiny_llava"] = dataclasses.replace(specs["tiny_llava"], **(spec or {}))
    return JobResources(changed, specs, NOWHERE)


def ask(sizes: JobResources, name: str, attempt: int = 1) -> int:
    amount = getattr(sizes, name)(JOB, attempt=attempt)
    assert isinstance(amount, int)
    return amount


@pytest.mark.parametrize("name", OF_A_MODEL)
def test_more_parameters_never_request_less_and_ten_times_as_many_request_more(
    name: str, config: dict[str, Any]
) -> None:
    counts = [10**6, 10**7, 10**8, 10**9, 10**10, 10**11]
    where: dict[str, Any] = {"clevr": {"splits": ["val"]}, "loading": {"device": "cpu"}}
    amounts = [ask(sizes(config, {"parameters": n}, **where), name) for n in counts]
    assert amounts == sorted(amounts)
    assert len(set(amounts[2:])) == len(amounts[2:])


@pytest.mark.parametrize("name", sorted({*OF_A_MODEL, *OF_A_DATASET}))
def test_every_retry_requests_half_as_much_again(name: str, config: dict[str, Any]) -> None:
    first, second, third = (ask(sizes(config), name, attempt) for attempt in (1, 2, 3))
    assert second == pytest.approx(1.5 * first, abs=2)
    assert third == pytest.approx(2.25 * first, abs=2)


def test_fixed_resources_also_grow_on_a_retry() -> None:
    assert [sizing.fixed(1000)(JOB, attempt=n) for n in (1, 2, 3)] == [1000, 1500, 2250]


@pytest.mark.parametrize("name", OF_A_DATASET)
def test_more_images_request_more(name: str, config: dict[str, Any]) -> None:
    counts = [10**3, 10**5, 10**7]
    drawn = [sizes(config, clevr={"splits": {"train": n, "val": n}}) for n in counts]
    amounts = [ask(s, name) for s in drawn]
    assert amounts == sorted(amounts)
    assert amounts[-1] > amounts[0]


def test_more_parts_share_the_time_of_an_extraction(config: dict[str, Any]) -> None:
    many = {"splits": {"train": 10**6}}
    one, ten = (ask(sizes(config, clevr={**many, "parts": n}), "extraction_minutes")
                for n in (1, 10))  # fmt: skip
    assert one == pytest.approx(10 * ten, rel=0.05)


def test_mining_in_parts_and_through_faiss_requests_less_time(config: dict[str, Any]) -> None:
    many = {"splits": {"train": 10**6}}
    one, ten, faiss = (
        {name: ask(sizes(config, clevr=many, mining=how), f"mining_{name}")
         for name in ("mb", "minutes")}
        for how in ({}, {"parts": 10}, {"engine": "faiss"})
    )  # fmt: skip
    assert one["minutes"] > 20 * ten["minutes"] > 20 * estimates.START_MINUTES
    assert one["mb"] > 2 * ten["mb"]
    assert one["minutes"] > 10 * faiss["minutes"]
    assert faiss["mb"] > one["mb"]


def test_a_wider_number_takes_more_memory(config: dict[str, Any]) -> None:
    asked = [ask(sizes(config, {"parameters": 7 * 10**9, "dtype": dtype}), "model_mb")
             for dtype in ("bfloat16", "float32")]  # fmt: skip
    assert asked[1] - asked[0] == pytest.approx(1.3 * 7000 * 2, rel=0.01)


@pytest.mark.parametrize(("name", "spec", "seen"), MEASURED)
def test_no_job_requests_less_than_was_measured(
    name: str,
    spec: dict[str, Any],
    seen: float,
    config: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(estimates, "START_MINUTES", 0)  # would exceed any work of the demo
    amount = ask(sizes(config, spec, loading={"device": "cpu"}), name)
    assert amount > (seen / 60 if name.endswith("minutes") else seen)


def test_the_demo_fits_on_a_laptop(config: dict[str, Any]) -> None:
    for name in ("card_mb", "model_mb", "probing_mb", "dataset_mb"):
        assert ask(sizes(config), name) <= 4000, name
    assert sizes(config).gpus(JOB) == 0


def test_a_7b_model_on_one_gpu_fits_a_node(config: dict[str, Any]) -> None:
    spec = {"parameters": 7 * 10**9, "dtype": "bfloat16", "vision_blocks": 24, "lm_blocks": 32}
    official = {"splits": ["val"], "parts": 16}
    large = sizes(config, spec, clevr=official)
    assert large.gpus(JOB) == 1
    assert 14_000 < ask(large, "model_mb") < 32_000
    assert ask(large, "extraction_minutes") < 24 * 60
    assert ask(sizes(config, spec, loading={"device": "cpu"}), "model_mb") > 32_000


@pytest.mark.parametrize(
    ("device", "parameters", "gpus"),
    [
        *[("cpu", n, 0) for n in (10**6, 7 * 10**9)],
        *[("auto", 10**6, 0), ("auto", 10**9, 1), ("cuda", 10**6, 1)],
        *[("cuda", 13 * 10**9, 1), ("cuda", 72 * 10**9, 1), ("mps", 10**9, 1)],
    ],
)
def test_a_gpu_is_requested_where_one_is_used(
    device: str, parameters: int, gpus: int, config: dict[str, Any]
) -> None:
    spec = {"parameters": parameters, "dtype": "bfloat16"}
    assert sizes(config, spec, loading={"device": device}).gpus(JOB) == gpus


def test_a_model_that_is_spread_requests_the_gpus_that_hold_its_weights(
    config: dict[str, Any],
) -> None:
    def gpus(**own: Any) -> int:
        return sizes(config, LARGE, loading={"models": {"tiny_llava": own}}).gpus(JOB)

    assert gpus(spread=True) == 3
    assert gpus(spread=True, dtype="float32") == 5
    assert gpus(spread=True, bits=4) == 1
    assert gpus(spread=True, device="cpu") == 0


def test_a_model_that_needs_more_gpus_is_reported(config: dict[str, Any]) -> None:
    (sentence,) = sizes(config, LARGE).gpu_warnings(None)
    assert sentence == (
        "tiny_llava is too large for one GPU of 80 GB; set spread: true, or bits: 4, under "
        "loading.models.tiny_llava"
    )
    spread = sizes(config, LARGE, loading={"spread": True})
    assert spread.gpu_warnings(1) == [
        "tiny_llava needs 3 GPUs, and a job may have 1; add --resources gpu=3"
    ]
    assert (
        spread.gpu_warnings(3) == spread.gpu_warnings(None) == sizes(config).gpu_warnings(1) == []
    )


@pytest.mark.parametrize(
    ("checkpoint", "expected"),
    [
        ("owner/llava-1.5-7b-hf", 7e9),
        ("owner/blip2-opt-2.7b", 2.7e9),
        ("owner/InternVL2_5-1B", 1e9),
        ("owner/SmolVLM-256M-Instruct", 256e6),
        ("owner/clip-vit-large-patch14", 8e9),
        ("owner/Model-2b2c", 8e9),
    ],
)
def test_an_uncounted_models_size_is_parsed_from_its_name(
    checkpoint: str, expected: float, config: dict[str, Any]
) -> None:
    unknown = {"parameters": None, "checkpoint": checkpoint}
    assert sizes(config, unknown).parameters("tiny_llava") == expected


def test_unknown_numbers_of_blocks_default_to_a_large_model(config: dict[str, Any]) -> None:
    def minutes(**blocks: int | None) -> int:
        spec = {"parameters": 7 * 10**9, **blocks}
        return ask(sizes(config, spec, clevr={"splits": ["train"]}), "manifest_minutes")

    unknown = minutes(vision_blocks=None, lm_blocks=None)
    assert unknown == minutes(vision_blocks=32, lm_blocks=32)
    assert unknown > minutes(vision_blocks=24, lm_blocks=32)


def test_batch_size_auto_has_an_assumed_size(config: dict[str, Any]) -> None:
    auto = sizes(config, extraction={"batch_size": "auto"})
    sixteen = sizes(config, extraction={"batch_size": 16})
    assert ask(auto, "model_mb") == ask(sixteen, "model_mb")


def test_probing_time_depends_on_the_tasks_questions(config: dict[str, Any]) -> None:
    def minutes(task: str, **clevr: Any) -> int:
        asked = SimpleNamespace(**{**vars(JOB), "task": task})
        return sizes(config, clevr=clevr).probing_minutes(asked, attempt=1)

    official = {"splits": ["val"]}
    assert minutes("shape", **official) < minutes("number", **official)
    assert minutes("number", **official) < minutes("boolean", **official)
    assert minutes("has_red", **official) == minutes("object_count", **official)
    many = {"splits": {"train": 10**5}}
    assert minutes("color", questions={"color": 1, "boolean": 8}, **many) == minutes(
        "color", questions={"color": 1}, **many
    )


def test_question_types_add_memory_and_time_without_regions(config: dict[str, Any]) -> None:
    def asked(task: str, most: int) -> tuple[int, int]:
        job = SimpleNamespace(**{**vars(JOB), "task": task})
        config["probing"]["question_types"]["most"] = most
        found = JobResources(config, read_specs(), NOWHERE)
        return found.probing_mb(job, attempt=1), found.probing_minutes(job, attempt=1)

    config["datasets"]["clevr"] |= {"splits": {"train": 10**5}}
    few, many = asked("boolean", 1), asked("boolean", 2000)
    assert few[0] < many[0] and few[1] < many[1]
    assert asked("has_red", 1) == asked("has_red", 2000)
    config["extraction"]["spans"] = ["referent"]
    assert asked("color", 1) == asked("color", 2000)


def test_rendered_released_and_unknown_splits_are_counted(config: dict[str, Any]) -> None:
    pictures = sum(config["datasets"]["clevr"]["splits"].values())
    assert sizes(config).rows("clevr") == (pictures, 6 * pictures)
    official = sizes(config, clevr={"splits": ["train", "val"]})
    assert official.rows("clevr") == (85_000, 850_000)  # 849,980 questions were released
    assert sizes(config, clevr={"splits": ["mine"]}).rows("clevr") == (70_000, 700_000)


@pytest.mark.parametrize(("device", "gpus"), [("cpu", 0), ("cuda", 1), ("mps", 1)])
def test_probes_request_a_gpu_where_they_are_trained_on_one(
    config: dict[str, Any], device: str, gpus: int
) -> None:
    config["probing"]["device"] = device
    assert JobResources(config, read_specs(), NOWHERE).probing_gpus(JOB) == gpus
