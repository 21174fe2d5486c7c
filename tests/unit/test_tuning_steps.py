"""The tuning step learns from images, is reproducible, and loses nothing when killed."""

import json
import os
import random
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
import torch
import yaml
from derived_fixture import CPU, make
from interventions_fixture import WORDS, build_asked
from stopping_steps import hold, kill_step
from tiny_models import build_llava, spec

from eyechart.attention.measure import ItemTracer
from eyechart.attention.rows import Tables
from eyechart.attention.settings import AttentionSettings
from eyechart.core.errors import UserError
from eyechart.core.files import describe
from eyechart.inference.marks import marks_of
from eyechart.models.load import load
from eyechart.models.load_options import LoadOptions
from eyechart.models.sources.ready_file import NAME, write_ready
from eyechart.models.spec import read_spec
from eyechart.plan import paths
from eyechart.plan.checkpoints import ADAPTER
from eyechart.tables.attention import ATTENTION
from eyechart.tables.parquet import read_table, write_table
from eyechart.training import loop
from eyechart.tuning import compare, map_attention, tune
from eyechart.tuning.arms import matched_ranks
from eyechart.tuning.questions import TunedItems
from eyechart.tuning.train import shuffled

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
EAGER = LoadOptions("cpu", attention="eager")
ANSWERS = (*WORDS[1:], WORDS[0])  # the random model gives other answers
SETTINGS = {
    **{
        "data": ["true", "blank"],
        "seeds": 1,
        "rank": 4,
        "items": 100,
        "training": 100,
        "attended": 12,
    },
    **{"steps": 20, "batch_size": 16, "folds": 2, "eval_every": 5},
    **{"learning_rates": {"prompt": [0.1], "lora": [0.02]}, "gradient_checkpointing": False},
    **{"prompt": "{question}", "choices": "text", "scoring": "mean"},
}


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    """Write a registry with one model, its checkpoint, and images of one colour each."""
    folder = tmp_path_factory.mktemp("registry")
    checkpoint = build_llava(folder / "data" / "llava")
    own = {k: v for k, v in vars(spec("llava", checkpoint)).items() if k != "derived"}
    (folder / "llava.yaml").write_text(yaml.safe_dump(own | {"parameters": None}))
    names = sorted(p.name for p in checkpoint.iterdir())
    entries = [{**describe(checkpoint / n), "path": n} for n in names]
    write_ready(checkpoint / NAME, "llava", {"source": "folder"}, entries)
    (folder / "mine").mkdir()
    build_asked(folder / "mine", groups=80, answers=ANSWERS)
    return folder


def flags(registry, folder, arm, /, data="mine", **changes):
    words = ["--model", "llava", "--task", "kind", "--arm", arm, "--seed", "7", "--threads", "1"]
    words += ["--spec", registry / "llava.yaml", "--checkpoint", registry / "data" / "llava"]
    words += ["--datasets", "mine", "--items", registry / data / "items.parquet"]
    words += ["--images", registry / data / "images.parquet"]
    words += ["--regions", registry / "mine" / "regions.parquet"]
    words += ["--settings", json.dumps(SETTINGS | changes)]
    return [str(word) for word in [*words, "--output", folder / arm / "answers.parquet"]]


@pytest.fixture(scope="module")
def tuned(registry, tmp_path_factory):
    """Tune each arm once."""
    made = {}

    def get(arm):
        if arm not in made:
            made[arm] = tmp_path_factory.mktemp("tuned")
            tune.main(flags(registry, made[arm], arm))
        return made[arm] / arm

    yield get
    torch.use_deterministic_algorithms(False)


def accuracy(folder, **which):
    return pl.DataFrame(read_table(folder / "answers.parquet")).filter(**which)["right"].mean()


@pytest.mark.parametrize("arm", ["prompt_2", "lora_vision", "lora_connector", "lora_lm"])
def test_an_arm_learns_from_images_and_its_adapter_reproduces_the_answers(arm, tuned, registry):
    folder = tuned(arm)
    assert accuracy(folder, data="none") < 0.6
    if arm != "prompt_2":  # two vectors hardly help a random model
        assert accuracy(folder, data="true") > accuracy(folder, data="blank") + 0.1
    derived = {"from": "llava", "by": f"{folder}/true-0"}
    _, adapter, ready = make(registry, f"by_{arm}", **derived)
    part = {"prompt_2": [], "lora_lm": ["lm"]}.get(arm, [arm.removeprefix("lora_")])
    assert ready["changed"] == part
    rows = read_table(folder / "answers.parquet").to_pylist()
    said = {r["item_id"]: r["log_probability"] for r in rows if r["data"] == "true"}
    images = {r["image_id"]: r for r in read_table(registry / "mine/images.parquet").to_pylist()}
    items = read_table(registry / "mine/items.parquet").to_pylist()
    items = [item for item in items if item["item_id"] in said]
    style = tune.ArmSettings(**SETTINGS).style()
    found = TunedItems(adapter, style, "mean", images, 16).answers(items)
    expected = [said[item["item_id"]] for item in items]
    torch.testing.assert_close(torch.tensor(found), torch.tensor(expected), rtol=0, atol=1e-4)


def test_attention_to_regions_is_that_of_the_attention_stage(tuned, registry):
    found = pl.DataFrame(read_table(tuned("lora_lm") / "answers.parquet"))
    measured = found.filter(pl.col("region_mass").is_not_null())
    assert measured.group_by("data").len()["len"].to_list() == [12, 12, 12]
    adapter = load(read_spec(registry / "llava.yaml"), registry / "data/llava", EAGER)
    images = {r["image_id"]: r for r in read_table(registry / "mine/images.parquet").to_pylist()}
    items = {r["item_id"]: r for r in read_table(registry / "mine/items.parquet").to_pylist()}
    marks = marks_of(registry / "mine/regions.parquet", list(items.values()))
    paths = {name: image["path"] for name, image in images.items()}
    for name, mass in measured.filter(data="none").select("item_id", "region_mass").iter_rows():
        tables = Tables("llava", "mine")
        settings = AttentionSettings("{question}", "text", 10, 0, 1)
        own = [mark for _, mark in marks[name] if mark.region.name == "REF"]
        ItemTracer(adapter, settings, paths, tables).trace_item(items[name], own)
        rows = pl.DataFrame(tables.whole("attention", ATTENTION)).filter(region="REF")
        assert mass == pytest.approx(rows["mass"].mean(), abs=1e-5)
    moved = measured.filter(pl.col("data") == "true")["region_mass"]
    assert not np.allclose(moved, measured.filter(data="none")["region_mass"], atol=1e-4)


def test_maps_of_attention_are_those_whose_mass_is_measured(tuned, registry, tmp_path):
    names = {"model": "llava", "dataset": "mine", "task": "kind", "training": "true-0"}
    words = ["--model", "llava", "--dataset", "mine", "--task", "kind", "--seed", "7"]
    words += ["--spec", registry / "llava.yaml", "--checkpoint", registry / "data/llava"]
    for name in ("items", "images", "regions"):
        words += [f"--{name}", registry / f"mine/{name}.parquet"]
    words += ["--settings", '{"maps": 40, "prompt": "{question}", "choices": "text"}', "--adapters"]
    for arm in ("lora_lm", "prompt_2"):
        for file in ADAPTER:
            place = Path(paths.ADAPTER.at(str(tmp_path), arm=arm, file=file, **names))
            place.parent.mkdir(parents=True, exist_ok=True)
            words.append(shutil.copy(tuned(arm) / f"true-0/{file}", place))
    map_attention.main([str(w) for w in [*words, "--output", tmp_path / "maps.parquet"]])
    found = pl.DataFrame(read_table(tmp_path / "maps.parquet"))
    assert found.group_by("arm").len()["len"].to_list() == [40, 40]
    measured = pl.DataFrame(read_table(tuned("lora_lm") / "answers.parquet")).drop_nulls(
        "region_mass"
    )
    found = found.filter(pl.col("item_id").is_in(measured["item_id"].unique()))
    assert len(found) == 2 * 12
    for row in found.to_dicts():
        answers = pl.DataFrame(read_table(tuned(row["arm"]) / "answers.parquet"))
        own = answers.filter(item_id=row["item_id"])
        left = np.array(row["places"])[:, 3] < 16  # the image half that the item is about
        for data, column in (("none", "before"), ("true", "after")):
            (mass,) = own.filter(data=data)["region_mass"]
            assert np.array(row[column])[left].sum() == pytest.approx(mass, abs=1e-5)


def test_folds_choose_the_rate_that_learns(registry, tmp_path):
    rates = {"prompt": [0.1], "lora": [1e-7, 0.02]}
    tune.main(flags(registry, tmp_path, "lora_lm", learning_rates=rates))
    table = pl.DataFrame(read_table(tmp_path / "lora_lm/answers.parquet"))
    assert table["learning_rate"].unique().to_list() == [0.02]
    curve = pl.DataFrame(read_table(tmp_path / "lora_lm/curve.parquet"))
    last = curve.filter(metric="held_out_loss", step=20)
    lost = {r: last.filter(pl.col("stage").str.ends_with(f"-rate-{r}"))["value"].mean()
            for r in ("1e-07", "0.02")}  # fmt: skip
    assert lost["0.02"] < lost["1e-07"] - 0.05


def contents(folder):
    found = {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert len(found) == 6  # answers, curve, two adapters of two files
    return found


@pytest.mark.slow  # the test of killed runs, below, also checks this
def test_a_second_run_writes_equal_bytes(tuned, registry, tmp_path):
    tune.main(flags(registry, tmp_path, "lora_lm"))
    assert contents(tmp_path / "lora_lm") == contents(tuned("lora_lm"))


# During the first fold, and during training on white images
@pytest.mark.parametrize("call", [pytest.param(3, marks=pytest.mark.slow), 10])
def test_a_killed_training_run_resumes_to_the_same_bytes(call, tuned, registry, tmp_path):
    expected = contents(tuned("lora_lm"))
    stop, words = tmp_path / "stop", flags(registry, tmp_path, "lora_lm")
    held = hold(stop, loop._save, call=call)
    kill_step("eyechart.tuning.tune", words, stop, held.exists)
    kept = sorted(p.name for p in (tmp_path / "lora_lm").rglob("*.checkpoint.safetensors"))
    assert kept[0] == "fold-0-rate-0.02.checkpoint.safetensors"
    assert not (tmp_path / "lora_lm" / "answers.parquet").exists()
    tune.main(words)
    assert contents(tmp_path / "lora_lm") == expected


def test_recomputed_activations_give_the_same_training(tuned, registry, tmp_path):
    tune.main(flags(registry, tmp_path, "lora_vision", gradient_checkpointing=True))
    tables = [f / "curve.parquet" for f in (tmp_path / "lora_vision", tuned("lora_vision"))]
    first, second = (torch.tensor(read_table(t)["value"].to_pylist()) for t in tables)
    torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-4)


def test_skewed_answers_unrelated_to_images_are_not_a_gain(registry, tmp_path):
    """Four of five answers are the same word, which the model also learns from white images."""
    drawn = random.Random(3)
    items = [
        item | {"answer": WORDS[2] if drawn.random() < 0.8 else drawn.choice(WORDS[:2])}
        for item in read_table(registry / "mine/items.parquet").to_pylist()
    ]
    (registry / "skewed").mkdir()
    schema = read_table(registry / "mine/items.parquet").schema
    write_table(registry / "skewed/items.parquet", pa.Table.from_pylist(items, schema))
    os.link(registry / "mine/images.parquet", registry / "skewed/images.parquet")
    tune.main(flags(registry, tmp_path, "lora_lm", data="skewed"))
    path = tmp_path / "lora_lm/answers.parquet"
    assert accuracy(path.parent, data="none") < 0.6
    assert accuracy(path.parent, data="true") > 0.7
    (row,) = [
        r
        for r in compare.compared(pl.DataFrame(read_table(path)), {})
        if r["data"] == "true" and r["seed"] is None
    ]
    assert row["after"] - row["before"] > 0.2
    assert abs(row["gain"]) <= 0.1  # the verdict's margin
    assert row["p"] > 0.05


def test_shuffled_answers_are_the_same_answers_on_other_items():
    items = [{"choices": ["a", "b"], "answer": "ab"[n % 2], "item_id": n} for n in range(20)]
    items += [{"choices": ["x", "y"], "answer": "x", "item_id": 20}]
    found = shuffled(items, 7, 0)
    assert [f["item_id"] for f in found] == list(range(21))
    assert sorted(f["answer"] for f in found[:20]) == ["a"] * 10 + ["b"] * 10
    assert [f["answer"] for f in found] != [i["answer"] for i in items]
    assert found[20]["answer"] == "x"


def test_ranks_are_matched():
    llava = {"vision": 423_936, "connector": 13_312, "lm": 2_498_560}
    assert matched_ranks(llava, 4) == {"vision": 24, "connector": 751, "lm": 4}
    assert matched_ranks({"vision": 6144, "connector": 512, "lm": 10240}, 1)["lm"] == 3
    near = matched_ranks({"vision": 9700, "lm": 10000}, 1)  # the first ranks within 2%
    assert near == {"vision": 21, "lm": 20}


def test_an_unknown_task_is_reported(registry, tmp_path):
    words = flags(registry, tmp_path, "lora_lm")
    words[words.index("kind")] = "kin"
    with pytest.raises(UserError, match=r"no training item of task 'kin'; .*'kind'"):
        tune.main(words)


def test_a_soft_prompt_of_another_width_or_a_second_one_is_refused(tuned, registry):
    make(registry, "once", **{"from": "llava", "by": f"{tuned('prompt_2')}/true-0"})
    with pytest.raises(UserError, match="already has a soft prompt"):
        make(registry, "twice", **{"from": "once", "by": f"{tuned('prompt_2')}/true-0"})
    for name in ("once", "twice"):
        (registry / f"{name}.yaml").unlink()


def test_a_model_derived_from_one_with_a_soft_prompt_keeps_it(tuned, registry):
    make(registry, "asked", **{"from": "llava", "by": f"{tuned('prompt_2')}/true-0"})
    before, after, _ = make(registry, "blind", **{"from": "asked", "by": "prior"})
    assert torch.equal(before.soft_prompt, after.soft_prompt)
    assert Path(registry / "data/blind/soft_prompt.safetensors").is_file()
    plain = load(read_spec(registry / "llava.yaml"), registry / "data/llava", CPU)
    assert plain.soft_prompt is None
