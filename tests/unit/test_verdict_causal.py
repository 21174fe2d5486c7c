"""Causal facts of the verdict: cause, horizon, addresses that are read, and contradictions."""

from pathlib import Path

import pytest
from causal_fixture import ADDRESSES, COLOR, HELD, erased, erasers, patches, restored, write
from interventions_fixture import build_asked, build_reading_model, by_hand, run
from verdict_fixture import OUT, TASK, read, write_model

from eyechart.core.errors import UserError
from eyechart.interventions import measure_effects
from eyechart.tables.verdict import CLASSES
from eyechart.tables.verdict_rules import CAUSAL_FACTS, CAUSES, CONTRADICTED
from eyechart.verdict import decide
from eyechart.verdict.causal import evidence, read_causal
from eyechart.verdict.causal_sentences import CAUSES as SENTENCES
from eyechart.verdict.causal_sentences import causal_text
from eyechart.verdict.rules import CAUSAL, RULES, VerdictThresholds, explain

BAR = VerdictThresholds(alpha=0.01, margin=0.1)
ROOT = Path(__file__).resolve().parents[2]
STILL = patches(dict.fromkeys(ADDRESSES, (0.0, 0.0)), reach=0.03)
ALIKE = patches({"connector": (0.62, 0.68)} | dict.fromkeys(ADDRESSES[1:], (0.0, 0.0)))
FOLLOWS = patches({"connector": (0.92, 0.35)} | dict.fromkeys(ADDRESSES[1:], (0.0, 0.0)))
OPEN = patches(dict.fromkeys(ADDRESSES, (0.5, 0.4)), reach=0.2)


def rule(verdict):
    return next(one for one in RULES if one.verdict == verdict)


@pytest.mark.parametrize(
    ("verdict", "rows", "partly", "expected"),
    [
        ("used", FOLLOWS, False, ("shown_causally", None)),
        ("used", ALIKE, False, ("contradicted", None)),
        ("used", STILL, False, ("contradicted", None)),
        ("used", OPEN, False, ("observed_only", None)),
        ("prior", STILL, False, ("shown_causally", "inert")),
        ("prior", FOLLOWS, False, ("contradicted", None)),
        ("not_encoded", ALIKE, False, ("shown_causally", "unspecific")),
        ("lost_in_connector", ALIKE, False, ("shown_causally", "unspecific")),
        ("lost_in_connector", FOLLOWS, False, ("contradicted", None)),
        ("lost_in_connector", FOLLOWS, True, ("observed_only", None)),
        ("not_retrieved", STILL, False, ("shown_causally", "inert")),
        ("not_retrieved", [*FOLLOWS, *restored(0.7)], True, ("shown_causally", "misread")),
        ("not_verbalised", [*FOLLOWS, *restored(0.0)], False, ("shown_causally", "said_otherwise")),
        ("not_verbalised", [*FOLLOWS, *restored(0.7)], False, ("shown_causally", "misread")),
        ("not_verbalised", STILL, False, ("contradicted", None)),
        ("undecided", FOLLOWS, False, ("observed_only", None)),
        ("not_retrieved", [], False, ("observed_only", None)),
    ],
)
def test_a_class_is_supported_explained_or_contradicted(verdict, rows, partly, expected):
    known = {one.verdict: one for one in RULES}
    own = known.get(verdict) or type(RULES[0])("none", verdict, ())
    assert explain(evidence(rows, []), own, partly, BAR) == expected
    assert explain(None, own, partly, BAR) == ("observed_only", None)


def test_the_horizon_is_the_last_address_with_a_corrected_effect():
    values = dict(zip(ADDRESSES, [(0.9, 0.4), (0.2, 0.2), (0.4, 0.2), (0.0, 0.0)], strict=True))
    found = evidence(patches(values), [])
    assert found.horizon(BAR) == "lm.1" and found.still("lm.1", BAR)
    assert not found.still("lm.0", BAR)
    wide = patches({"lm.2": (0.02, 0.0)}, reach=0.2)
    assert not evidence([*patches(values)[:-2], *wide], []).still("lm.1", BAR)
    rows = patches(values)
    for one in rows:  # 0.004 is significant alone, but not as one of four tests
        one["p"] = 0.004 if one["address"] == "lm.1" else one["p"]
    assert evidence(rows, []).horizon(BAR) == "connector"
    small = patches({"connector": (0.9, 0.4), "lm.0": (0.09, 0.0)}, reach=0.01)
    assert evidence(small, []).horizon(BAR) == "connector"  # less than the margin is no effect
    assert evidence(OPEN, []).horizon(BAR) is None


def test_a_concept_is_used_where_erasing_it_costs_accuracy_and_otherwise_unused():
    found = evidence(COLOR, erasers(HELD))
    assert found.used(BAR) == ["connector"] and found.unused(BAR) == list(ADDRESSES[1:])
    still_there = evidence(COLOR, erasers(HELD, after=0.5))
    assert still_there.used(BAR) == []  # a decodable concept was not erased
    nowhere = evidence(COLOR, erasers(HELD | {"lm.1": 0.16}))
    assert nowhere.unused(BAR) == ["lm.0", "lm.2"]  # a concept must be decodable to be unused
    wide = evidence([*COLOR, *erased({"lm.0": (0.7, 0.75)}, control="permuted")], erasers(HELD))
    assert wide.unused(BAR) == ["lm.1", "lm.2"]  # all controls must show it
    assert evidence(COLOR, []).erased == {}


def test_the_sentence_states_where_it_is_held_and_read_and_erasures_without_effect():
    found = evidence(COLOR, erasers(HELD))
    assert causal_text(found, "misread", "shown_causally", BAR) == (
        "Misread: the answer follows the image, but is wrong too often. Held at every address "
        "(decodable from 0.96 of its tokens, the most common answer 0.14); read only at the "
        "connector: erasing it there leaves 0.12 right, the control 0.69, difference −0.57 "
        "[−0.62 to −0.52], n = 100 in 60 groups; erasing it after lm.0–2 changes nothing (within "
        "±0.10). With another image's tokens 0.92 of the answers become that image's, 0.44 if "
        "its answer is the same, difference +0.48 [+0.43 to +0.53], n = 100 in 60 groups. The last "
        "address at which they do is connector; a later exchange changes less than 0.10 of the "
        "answers."
    )
    contradicted = causal_text(evidence(FOLLOWS, []), None, "contradicted", BAR)
    assert contradicted.endswith(" This contradicts the class.")
    assert "0.00 of the answers change (n = 100" in causal_text(
        evidence(STILL, []), "inert", "shown_causally", BAR
    )


def test_every_fact_and_class_of_a_cause_is_known_and_every_cause_has_its_words():
    assert set(CAUSAL) == set(CAUSAL_FACTS) and set(SENTENCES) == {one.name for one in CAUSES}
    named = [one.classes for one in CAUSES] + list(CONTRADICTED.values())
    assert {name for classes in named for name in classes} <= set(CLASSES)
    assert {fact for one in CAUSES for fact in one.shown} | set(CONTRADICTED) <= set(CAUSAL_FACTS)


def test_the_page_lists_the_same_causes_as_the_table():
    text = (ROOT / "docs/verdict.md").read_text()
    part = text.split("## What interventions add", 1)[1].split("\n## ", 1)[0]
    lines = [line.strip("| ").split(" | ") for line in part.splitlines() if line.startswith("| *")]
    expected = [
        [f"*{c.name.replace('_', ' ')}*", "; ".join(c.shown),
         ", ".join(name.replace("_", " ").replace(" lm", " LM") for name in c.classes)]
        for c in CAUSES
    ]  # fmt: skip
    assert [line[:3] for line in lines] == expected


@pytest.fixture
def asked(tmp_path, monkeypatch) -> Path:
    """Return a folder for a planted model that uses the requested concept."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_interventions_add_to_a_verdict_without_changing_its_class(asked):
    words = write_model(asked, "works", n=200)
    decide.main(words)
    (plain,) = read(asked / OUT)
    assert (plain["evidence"], plain["causal"], plain["horizon"]) == ("observed_only", None, None)
    rows = [one | {"task": TASK, "concept": one["concept"] and TASK} for one in COLOR]
    fitted = [one | {"concept": TASK} for one in erasers(HELD)]
    path = write(asked, rows, fitted)
    at = words.index("--effects") + 1
    decide.main([*words[:at], str(path), *words[at:]])
    (found,) = read(asked / OUT)
    assert {k: found[k] for k in ("verdict", "why")} == {k: plain[k] for k in ("verdict", "why")}
    assert (found["evidence"], found["cause"]) == ("shown_causally", None)
    assert (found["horizon"], found["horizon_sure"]) == ("connector", True)
    assert (found["used_at"], found["unused_at"]) == ("connector", "lm.0, lm.1, lm.2")
    assert found["causal"].startswith("Held at every address")


def test_effects_of_another_model_or_dataset_are_refused(asked):
    path = write(asked, [one | {"model": "other"} for one in COLOR], erasers(HELD))
    with pytest.raises(
        UserError, match=r"effects.parquet: a row is about other on drawn, expected m"
    ):
        read_causal(path, "m", "drawn")
    words = write_model(asked, "works", n=60)
    at = words.index("--effects") + 1
    other = asked / "results/interventions/mm/drawn/effects.parquet"
    with pytest.raises(UserError, match="belongs to model 'mm', expected 'm'"):
        decide.main([*words[:at], str(other), *words[at:]])


def test_a_hand_built_model_is_found_to_use_its_first_copy_only(tmp_path, monkeypatch):
    """Image tokens hold the class twice, but only the copy that the first block reads is used."""
    checkpoint = build_reading_model(tmp_path / "model")
    by_hand(monkeypatch)
    data = build_asked(tmp_path)
    *_, edits = run(tmp_path / "out", checkpoint, data)
    effects = edits.with_name("effects.parquet")
    words = f"--model llava --dataset mine --seed 7 --edits {edits} --output {effects} --settings"
    measure_effects.main([*words.split(), '{"margin": 0.1}'])
    found = read_causal(effects, "llava", "mine")["kind"]
    assert found.used(BAR) == ["connector"] and found.horizon(BAR) == "connector"
    assert found.unused(BAR) == [a for a in found.erased if a != "connector"] != []
    assert found.still("connector", BAR)
    assert explain(found, rule("used"), False, BAR) == ("shown_causally", None)
    said = causal_text(found, None, "shown_causally", BAR)
    assert said.startswith("Held at every address") and "read only at the connector: " in said
    assert f"erasing it after lm.0–{len(found.erased) - 2} changes nothing (within ±0.10)" in said
