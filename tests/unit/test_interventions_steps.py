"""The step, on a model that reads a concept in its first block: the effect of each edit."""

import shutil
import sys
from functools import partial
from types import SimpleNamespace

import interventions_fixture as fixture
import numpy as np
import polars as pl
import pytest
from tiny_models import spec

from eyechart.core.errors import UserError
from eyechart.inference.chosen_items import answerable_items
from eyechart.inference.prompts import PromptStyle
from eyechart.interventions import measure_effects, registry
from eyechart.interventions.asked import OWN, ask
from eyechart.interventions.batch import Batch
from eyechart.interventions.changes import Write
from eyechart.interventions.edit import Edit
from eyechart.interventions.reader import Reader
from eyechart.models.load import load
from eyechart.models.load_options import LoadOptions
from eyechart.tables.interventions import EDITS, EFFECTS
from eyechart.tables.items import ITEMS
from eyechart.tables.notes import read_noted
from eyechart.tables.parquet import read_table, write_table


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return fixture.build_reading_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return fixture.build_asked(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def made(tmp_path_factory, checkpoint, data):
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patched:
        fixture.by_hand(patched)
        edits, erasers, path = fixture.run(folder, checkpoint, data)
    return pl.DataFrame(edits), measured(path), pl.DataFrame(erasers)


def measured(path):
    """Return the table of effects of the edits at a path."""
    output = path.with_name("effects.parquet")
    words = ["--edits", str(path), "--output", str(output), "--seed", "7"]
    settings = ["--settings", '{"margin": 0.1}', "--model", "llava", "--dataset", "mine"]
    measure_effects.main([*words, *settings])
    return pl.DataFrame(read_noted(output, EFFECTS)[0])


def effect(made, **which):
    """Return the only matching row of the table of effects."""
    rows = made[1].filter(**which).to_dicts()
    assert len(rows) == 1, rows
    return rows[0]


def test_the_model_answers_correctly_on_its_own_and_the_donors_image(made):
    plain = made[0].filter(intervention="none")
    assert plain["right"].all() and not plain["moved"].any()
    swaps = made[0].filter(intervention="swap")
    assert swaps.filter(control="")["to_donor"].all()
    assert not swaps.filter(control="same_answer")["moved"].any()


@pytest.mark.parametrize(("direction", "moved"), [("noise", (1, 0, 0)), ("denoise", (0, 1, 1))])
def test_patching_the_image_matters_only_before_the_block_that_reads_it(made, direction, moved):
    for address, value in zip(("connector", "lm.0", "lm.2"), moved, strict=True):
        which = {"intervention": "patch", "target": "image", "metric": "to_donor"}
        row = effect(made, **which, direction=direction, address=address)
        assert row["value"] == value
        assert row["control"] == ("same_answer" if direction == "noise" else "swap")
        assert row["difference"] == value - (direction == "denoise")
        assert row["equal"] == (row["difference"] == 0)


def test_patching_the_answer_position_matters_only_after_it(made):
    for address in ("lm.0", "lm.1", "lm.2"):
        which = {"intervention": "patch", "target": "last", "metric": "to_donor"}
        row = effect(made, **which, direction="noise", address=address)
        assert (row["value"], row["control_value"]) == (1, 0)
        assert row["q"] < 1e-6


def test_half_of_the_donors_tokens_have_half_the_effect(made):
    rows = made[0].filter(intervention="patch", target="referent", address="connector", control="")
    assert rows["recovered"].mean() == pytest.approx(0.5, abs=0.05)


def test_the_answer_depends_on_attention_in_the_reading_block(made):
    cut = {"intervention": "knockout", "target": "image", "metric": "right", "control": "none"}
    assert effect(made, **cut, address="lm.0", until="lm.0")["value"] < 0.5
    for address, until in (("lm.1", "lm.1"), ("lm.1", "lm.2")):
        row = effect(made, **cut, address=address, until=until)
        assert (row["value"], row["unedited"], row["equal"]) == (1, 1, True)
    best = effect(made, **cut, address="best")
    assert "lm.0" in best["chosen"] and best["difference"] < -0.5


def test_ablating_the_image_tokens_gives_a_guess(made):
    row = effect(made, intervention="ablate", target="image", metric="right")
    assert row["value"] < 0.5 and row["control_value"] == 1
    half = effect(made, intervention="ablate", target="referent", metric="right")
    assert (half["value"], half["control"], half["equal"]) == (1, "other_object", True)


def test_erasing_the_copy_that_is_read_gives_chance_and_the_other_no_effect(made):
    erase = {"intervention": "erase", "concept": "kind", "metric": "right"}
    for control in ("random", "permuted"):
        read = effect(made, **erase, address="connector", control=control)
        assert read["value"] < 0.5 and read["control_value"] > 0.9 and read["q"] < 1e-6
        for address in ("lm.0", "lm.1", "lm.2"):
            kept = effect(made, **erase, address=address, control=control)
            assert (kept["value"], kept["equal"]) == (1, True)


def test_erasers_remove_the_concept_and_controls_do_not(made):
    for row in made[2].to_dicts():
        assert row["decodable_before"] == 1 and row["tokens"] == 60 * 8
        assert row["rank"] == 2 and 0 < row["variance_removed"] < 1
        erased = row["control"] == ""
        assert (row["decodable_after"] < 0.5) == erased, row
        if erased:
            assert row["decodable_after"] == pytest.approx(row["majority"], abs=0.15)
    assert len(made[2]) == 4 * 4


def test_impossible_edits_are_noted_and_the_rest_run(tmp_path, checkpoint, monkeypatch):
    fixture.by_hand(monkeypatch)
    data = fixture.build_asked(tmp_path, groups=24, marked=False, answers=(fixture.WORDS[0],) * 3)
    _, _, path = fixture.run(tmp_path / "out", checkpoint, data, addresses=["lm.0", "lm.1"])
    table, notes = read_noted(path, EDITS)
    edits = pl.DataFrame(table)
    assert set(edits["intervention"]) == {"none", "knockout", "patch", "swap"}
    assert edits.filter(intervention="patch", control="").is_empty()
    assert "patch of image: 12 of 12 items have no donor" in notes["note"]
    assert "erase: no image token of a training item of task 'kind' has a label" in notes["note"]
    assert "ablate: no image tokens at the connector" in notes["note"]
    assert set(edits.filter(intervention="knockout")["target"]) == {"image"}


def test_a_family_without_writable_attention_is_noted(tmp_path, checkpoint, data, monkeypatch):
    fixture.by_hand(monkeypatch)
    monkeypatch.setattr("eyechart.models.knockout.MASKED", ())
    _, _, path = fixture.run(tmp_path, checkpoint, data, items=10, edits=["knockout", "ablate"])
    table, notes = read_noted(path, EDITS)
    assert set(pl.DataFrame(table)["intervention"]) == {"none", "swap", "ablate"}
    assert "knockout: lm.0: attention can only be cut in blocks" in notes["note"]


def test_an_edit_is_a_module_and_a_line_of_the_registry(tmp_path, checkpoint, data, monkeypatch):
    def edits(setup):
        for address in setup.addresses("image"):
            write = Write(address, "image", lambda hidden, states: -hidden)
            yield Edit("negate", partial(Batch.answers, changes=[write]), address)

    fixture.by_hand(monkeypatch)
    monkeypatch.setitem(registry.EDITS, "negate", "negate")
    module = SimpleNamespace(edits=edits)
    monkeypatch.setitem(sys.modules, "eyechart.interventions.negate", module)
    table, _, _ = fixture.run(tmp_path, checkpoint, data, items=12, edits=["negate"])
    rows = pl.DataFrame(table).filter(intervention="negate")
    assert not rows.filter(address="connector")["right"].any()
    assert rows.filter(pl.col("address") != "connector")["right"].all() and len(rows) == 12 * 4


def test_edits_that_change_nothing_have_no_effect(tmp_path, checkpoint, data, monkeypatch):
    """The edits are identities at every address, and patches from the item's own image."""

    def edits(setup):
        for address in setup.addresses("image"):
            write = Write(address, "image", lambda hidden, states: hidden)
            yield Edit("identity", partial(Batch.answers, changes=[write]), address)

    def itself(item, pool, alike, sizes, seed):
        return {**item, "item_id": f"twin of {item['item_id']}"}

    fixture.by_hand(monkeypatch)
    monkeypatch.setattr("eyechart.interventions.asked.draw_donor", itself)
    monkeypatch.setitem(registry.EDITS, "identity", "identity")
    module = SimpleNamespace(edits=edits)
    monkeypatch.setitem(sys.modules, "eyechart.interventions.identity", module)
    (tmp_path / "some").mkdir()
    wrong = fixture.build_asked(tmp_path / "some", answers=("cube", "the", "colour"))
    table, _, path = fixture.run(tmp_path / "out", checkpoint, wrong, edits=["identity", "patch"])
    rows = pl.DataFrame(table).with_columns(pl.col("log_probability").list.to_array(3))
    plain = rows.filter(intervention="none").select("item_id", unedited="log_probability")
    both = rows.join(plain, on="item_id")
    apart = [np.abs(both[name].to_numpy()) for name in ("log_probability", "unedited")]
    assert np.abs(apart[0] - apart[1]).max() < 1e-4 and not rows["moved"].any()
    assert 0.2 < rows.filter(intervention="none")["right"].mean() < 0.8
    effects = measured(path)
    assert effects["intervention"].unique().sort().to_list() == ["identity", "patch"]
    assert (effects["difference"] == 0).all() and (effects["p"] == 1).all()
    assert effects["equal"].all() and (effects["n"] == 60).all()


def test_an_unretrieved_patient_is_repaired_only_at_the_answer_position(
    tmp_path, checkpoint, data, monkeypatch
):
    """The healthy model's states restore its answers there, but not as image tokens."""
    fixture.by_hand(monkeypatch)
    whole = load(spec("llava", checkpoint), checkpoint, LoadOptions("cpu"))
    blind = load(spec("llava", checkpoint, text_sees_images=False), checkpoint, LoadOptions("cpu"))
    items = answerable_items(data / "items.parquet")[:24]
    rows = read_table(data / "images.parquet", ["image_id", "path"]).to_pylist()
    paths = {row["image_id"]: row["path"] for row in rows}
    asked = ask(whole, items, [], {}, dict.fromkeys(paths, (32, 32)), 7)
    style = PromptStyle("{question}", "text", 1)
    well, ill = (Batch(Reader(a, True, style, "mean", paths), asked) for a in (whole, blind))

    def right(scores):
        said = [one.item["choices"][np.argmax(s)] for one, s in zip(asked, scores, strict=True)]
        return np.mean([one.item["answer"] == w for one, w in zip(asked, said, strict=True)])

    assert right(well.answers()) == 1 and right(ill.answers()) < 0.6
    image = well._read_at("lm.0", lambda: well._read_prefix(OWN, []))
    last = well._read_at("lm.0", lambda: well._read_rest(OWN, well._prefix(OWN), []))
    assert right(ill.answers(changes=[Write("lm.0", "last", lambda hidden, _: last)])) == 1
    same = ill.answers(changes=[Write("lm.0", "image", lambda hidden, _: image)])
    assert np.allclose(same, ill.answers())


def test_an_image_placeholder_in_a_question_is_text(checkpoint, data, monkeypatch):
    fixture.by_hand(monkeypatch)
    adapter = load(spec("llava", checkpoint), checkpoint, LoadOptions("cpu"))
    rows = read_table(data / "images.parquet", ["image_id", "path"]).to_pylist()
    paths = {row["image_id"]: row["path"] for row in rows}
    (item, *_) = answerable_items(data / "items.parquet")
    items = [item, item | {"item_id": "marked", "prompt": f"<image> {item['prompt']}"}]
    reader = Reader(adapter, True, PromptStyle("{question}", "text", 1), "mean", paths)
    reader.encode(item["images"])
    asked = ask(adapter, items, [], {}, dict.fromkeys(paths, (32, 32)), 7)
    scripts, marks = [reader.script(one, OWN) for one in asked], adapter.image_marker_ids()
    plain, marked = (sum(i in marks for i in one.row.ids) for one in scripts)
    assert plain == marked > 0


def test_only_items_of_the_listed_tasks_are_edited_and_erased(
    tmp_path, checkpoint, data, monkeypatch
):
    fixture.by_hand(monkeypatch)
    two = tmp_path / "two"
    shutil.copytree(data, two)
    items = pl.DataFrame(read_table(two / "items.parquet"))
    other = items.with_columns(item_id="o" + pl.col("item_id"), task=pl.lit("other"))
    write_table(two / "items.parquet", pl.concat([items, other]).to_arrow().cast(ITEMS))
    regions = pl.DataFrame(read_table(data / "regions.parquet"))
    again = regions.with_columns(item_id="o" + pl.col("item_id"))
    found = pl.concat([regions, again]).to_arrow()
    write_table(two / "regions.parquet", found.cast(read_table(data / "regions.parquet").schema))
    few = {"items": 12, "edits": ["erase"], "addresses": ["connector"]}
    for tasks, concepts in ((None, ["kind", "other"]), (["kind"], ["kind"])):
        edits, erasers, _ = fixture.run(tmp_path / "made", checkpoint, two, tasks=tasks, **few)
        assert sorted(set(edits["task"].to_pylist())) == concepts
        assert sorted(set(erasers["concept"].to_pylist())) == concepts
    named = {"erase": {"concepts": ["other"], "random": 0, "permuted": 0}}
    edits, erasers, _ = fixture.run(
        tmp_path / "made", checkpoint, two, tasks=["kind"], options=named, **few
    )
    assert set(edits["task"].to_pylist()) == {"kind"}
    assert set(erasers["concept"].to_pylist()) == {"other"}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"addresses": ["lm.9"]}, r"no address or module path 'lm\.9'; did you mean 'lm\."),
        ({"addresses": ["vision.0"]}, "'vision.0', expected the connector or blocks"),
        ({"tasks": ["kinds"]}, "no item of task 'kinds' in test groups; did you mean 'kind'?"),
        ({"edits": ["pach"]}, "interventions.edits: 'pach'; did you mean 'patch'?"),
        (
            {"options": {"erase": {"concepts": ["kinds"], "random": 1, "permuted": 0}}},
            "interventions.erase.concepts: 'kinds'; did you mean 'kind'?",
        ),
    ],
)
def test_a_mistake_is_a_one_sentence_error(
    tmp_path, checkpoint, data, monkeypatch, changes, sentence
):
    fixture.by_hand(monkeypatch)
    with pytest.raises(UserError, match=sentence):
        fixture.run(tmp_path, checkpoint, data, **{"items": 4, "edits": ["erase"], **changes})
