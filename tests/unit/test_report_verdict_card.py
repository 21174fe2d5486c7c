"""The exam card matches the tables in words, shapes and numbers, at every screen size."""

import json
import re
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from browser import CONTRAST, WIDE, ask, opened
from card_fixture import NINE, NOTE, render, spoil, text, write_card

from eyechart.report.format import share
from eyechart.report.sections.verdict.classes import (
    BAND_NAMES,
    LANES,
    LOOKS,
    SLOT_OF,
    SLOTS,
    TESTED,
    shown,
)
from eyechart.report.sections.verdict.findings import ENDS, summarise
from eyechart.report.sections.verdict.load import card
from eyechart.report.templates import FOLDER
from eyechart.tables.parquet import write_table
from eyechart.tables.verdict import (
    BANDS,
    CLASSES,
    COMPARISONS,
    STAGES,
    UNDECIDED,
    parts,
    read_verdict,
)
from eyechart.tables.verdict import NOTE as NOTE_KEY


@pytest.fixture(scope="module")
def paths(tmp_path_factory) -> list[Path]:
    return write_card(tmp_path_factory.mktemp("exam"))


@pytest.fixture(scope="module")
def page(paths) -> str:
    return render(paths)


@pytest.fixture(scope="module")
def found(paths) -> dict[tuple[str, str], dict]:
    """Return every cell of the card by model and skill; for patterns, with the dataset's name."""
    return {
        (one["exam"].model, f"{c['name']} {c['row']['dataset']}".removesuffix(" clevr")): c
        for one in card(paths)["models"]
        for c in one["cells"]
    }


def cells(page: str) -> dict[tuple[str, str, str], str]:
    """Return the text of every cell of the first screen's table by band, skill and model."""
    grid = page[page.index('<table class="grid">') : page.index("</table>")]
    models = re.findall(r"<th>([a-z_]+)(?: <|</th>)", grid.split("</thead>")[0])[1:]
    found = {}
    for body in grid.split("<tbody>")[1:]:
        band, *lines = re.findall(r"<tr.*?</tr>", body, re.DOTALL)
        for line in lines:
            head, *rest = re.findall(r"<t[hd].*?>(.*?)</t[hd]>", line, re.DOTALL)
            for model, one in zip(models, rest, strict=True):
                skill = re.split(r" (?:\w+, )?chance", text(head))[0]
                found[text(band), skill, model] = text(one)
    return found


def test_every_class_stage_band_and_test_has_its_own_name():
    assert set(LOOKS) == set(CLASSES) and tuple(LANES) == STAGES
    assert set(BAND_NAMES) == set(BANDS) and tuple(TESTED) == tuple(COMPARISONS)
    assert set(ENDS) == set(CLASSES) - {UNDECIDED} and set(SLOT_OF) == set(STAGES) - {"blind"}
    for part in ("word", "shape", "meaning"):
        assert len({getattr(look, part) for look in LOOKS.values()}) == len(LOOKS), part


def test_the_first_screen_has_class_answer_and_interval_of_every_skill(page, paths):
    shown = cells(page)
    for path in paths:
        for row in read_verdict(path).by_skill():
            if row["dataset"] == "mmvp" and row["kind"] == "encoder":
                continue
            band, skill = BAND_NAMES[row["band"]], row["skill"].replace("_", " ")
            said = shown[band, skill, row["model"]]
            at = row["stages"]
            one = at["encoder" if row["kind"] == "encoder" and "encoder" in at else "sighted"]
            numbers = f"{share(one['value'])} {share(one['ci_low'])}–{share(one['ci_high'])}"
            part = " in part" if row["partly"] else ""
            assert said.removeprefix(f"{row['model']} ").startswith(
                f"{LOOKS[row['verdict']].word}{part} {numbers}"
            )


def test_a_cell_states_the_loss_or_the_items_that_would_decide_it(found, page):
    remarks = {key: one["remark"] for key, one in found.items()}
    where = "between image tokens and answer position"
    assert remarks["tiny_llava", "color"] == f"loses 20 points {where}"
    assert remarks["tiny_llava", "material"] == ""  # it is used, so no loss is given as the reason
    assert remarks["a_patient", "material"] == "loses 30 points inside the language model"
    assert remarks["tiny_llava", "shape"] == "about 260 items would decide it"
    assert remarks["a_patient", "boolean"] == "not even 16 times as many items would decide it"
    assert remarks["tiny_clip", "shape"] == ""
    shown = cells(page)
    for key, remark in remarks.items():
        if key[1] in ("color", "material", "shape", "size"):
            assert remark in shown["Questions about an image", key[1], key[0]]


def test_the_strip_shows_the_largest_loss_gaps_and_only_existing_stages(found):
    def bars(model: str, skill: str) -> dict[str, list]:
        slots = found[model, skill]["strip"]
        assert [slot["name"] for slot in slots] == list(SLOTS)
        return {slot["name"]: slot["bars"] for slot in slots}

    color = bars("tiny_llava", "color")
    assert [len(one) for one in color.values()] == [1] * 5
    lost = {name: one[0]["lost"] for name, one in color.items() if one[0]["lost"] is not None}
    assert lost == {"answer position": pytest.approx(0.98)}
    assert color["answer position"][0]["value"] == 0.78
    assert color["answer"][0]["floor"] == 0.125  # the accuracy of the blind answer
    inside = bars("a_patient", "material")["image tokens"]
    assert [one["value"] for one in inside] == [0.88, 0.58]
    assert [one["lost"] for one in inside] == [None, pytest.approx(0.88)]
    assert bars("tiny_llava", "shape")["answer position"] == []
    assert all(slot["there"] for slot in found["tiny_llava", "shape"]["strip"])
    encoder = found["tiny_clip", "color"]["strip"]
    assert [slot["name"] for slot in encoder if slot["there"]] == ["encoder", "answer"]
    size = bars("tiny_llava", "size")
    assert all(bar["lost"] is None for one in size.values() for bar in one)


def test_a_loss_is_hatched_and_a_gap_is_dotted_in_the_markup(found, page):
    drawn = re.findall(r'<span class="strip".*?</span></span>', page)
    assert len(drawn) > 20
    (lost,) = [one for one in drawn if "image tokens 0.98; answer position 0.78" in one]
    assert lost.count("<u") == 1 and 'class="gap"' not in lost
    (gap,) = [one for one in drawn if "encoder 0.46;" in one]
    assert gap.count('class="gap"') == 1 and "answer position not read" in gap


def test_vlms_come_first_and_the_two_halves_of_mmvp_are_one_line(paths):
    assert [one["exam"].model for one in card(paths)["models"]] == [
        "tiny_llava", "a_patient", "tiny_clip"]  # fmt: skip
    (band,) = [b for b in card(paths)["grid"] if b["name"] == "MMVP patterns"]
    assert [line["skill"] for line in band["lines"]] == NINE
    for line in band["lines"]:
        vlm, patient, encoder = line["cells"]
        assert (vlm["row"]["dataset"], encoder["row"]["dataset"]) == ("mmvp", "mmvp_vlm")
        assert patient is None and line["datasets"] == ["mmvp", "mmvp_vlm"]
    clip = next(one for one in card(paths)["models"] if one["exam"].model == "tiny_clip")
    assert sum(c["row"]["band"] == "pattern" for c in clip["cells"]) == 18  # both halves


def test_halves_are_separate_if_the_settings_do_not_pair_them(tmp_path):
    paths = write_card(tmp_path)
    for path in paths:
        for part in parts(path):
            key = {NOTE_KEY: json.dumps(NOTE | {"patterns": {}})}
            write_table(part, pq.read_table(part).replace_schema_metadata(key))
    (band,) = [b for b in card(paths)["grid"] if b["name"] == "MMVP patterns"]
    assert len(band["lines"]) == 18


def test_findings_are_two_sentences_per_model_based_on_the_classes(paths, page):
    said = {one["exam"].model: one["finding"] for one in card(paths)["models"]}
    assert said["tiny_llava"] == (
        "Color (clevr) is seen, passed on and in part not retrieved (loses 20 points between "
        "image tokens and answer position); odd one out is answered without using the image; "
        "material and size are used. Undecided: 10 of 14 (about 260 items would decide shape)."
    )
    assert said["a_patient"] == (
        "Color is seen and lost in the connector (loses 87 points); material is seen, passed on "
        "and lost in the language model (loses 30 points); shape is seen, passed on, retrieved "
        "and not verbalised (loses 74 points between answer position and answer); size is seen, "
        "passed on and not used (loses 40 points between image tokens and answer). "
        "Undecided: 1 of 5."
    )
    assert said["tiny_clip"] == (
        "Shape is not encoded; orientation, presence, state, quantity and 5 more are used; color "
        "(clevr) is encoded."
    )
    for sentences in said.values():
        assert sentences in text(page)


def test_findings_mention_only_stages_that_hold_it_and_summarise_many(found):
    color = found["tiny_llava", "color"]
    low = color["row"]["stages"]["connector"] | {"value": 0.13, "ci_low": 0.1}
    stages = color["row"]["stages"] | {"connector": low}
    weak = color | {"row": color["row"] | {"stages": stages, "loss": 0.31}}
    assert summarise([weak]).startswith("Color is seen and in part not retrieved (loses 31 points")
    blind = {"verdict": "not_encoded", "partly": False, "loss_first": "encoder", "loss": 0.03}
    lacking = color | {"row": color["row"] | blind | {"loss_second": "connector"}}
    assert summarise([lacking]) == "Color is not encoded."  # later losses are not mentioned
    both = summarise([color, weak | {"name": "shape"}])
    assert "Color and shape are seen and in part not retrieved (lose 20 to 31 points" in both
    shape = found["tiny_llava", "shape"]
    three = [shape | {"name": f"s{k}", "row": shape["row"] | {"needed": k}} for k in (300, 1200)]
    assert summarise([shape, *three]) == (
        "No skill is decided. Undecided: 3 of 3 (about 260 items would decide shape, and up to "
        "1,200 the other 2)."
    )


def test_findings_and_cells_state_what_interventions_show(found):
    color = found["tiny_llava", "color"]
    causal = {"evidence": "shown_causally", "used_at": "connector", "unused_at": "lm.0, lm.1"}
    words = shown(color["row"] | causal)
    assert words == "read only at the connector, not after lm.0–1"
    both = {"used_at": "connector, lm.0, lm.1", "unused_at": ""}
    assert shown(color["row"] | causal | both) == "read at the connector and after lm.0–1"
    assert shown(color["row"]) == shown(color["row"] | causal | {"used_at": ""}) == ""
    against = shown(color["row"] | causal | {"evidence": "contradicted"})
    assert against == "contradicted by interventions"
    assert f" Interventions show that color is {words}." in summarise([color | {"shown": words}])
    said = summarise([color | {"shown": against}, color | {"shown": against, "name": "size"}])
    assert said.endswith(" Interventions contradict the class of color and size.")


def test_every_reason_is_on_the_page_with_all_its_stages(page, paths):
    said = text(page)
    for path in paths:
        for row in read_verdict(path).by_skill():
            assert " ".join(row["why"].split()) in said
            shown = f"Shown causally. {row['causal']}" if row["causal"] else "Observed only. No int"
            assert row["kind"] != "vlm" or shown in said
            for stage, one in row["stages"].items():
                ends = f"{share(one['ci_low'])}–{share(one['ci_high'])}"
                assert f"{LANES[stage]} {share(one['value'])} {ends} {one['n']}" in said
    assert said.count("pooled 0.60 0.50–0.70") == 27


def test_no_information_is_in_colour_alone_and_nothing_is_fetched(page):
    for name, look in LOOKS.items():
        assert f'id="class-{look.shape}"' in page, name
        badge = rf'href="#class-{look.shape}"/></svg>{look.word}'
        assert len(re.findall(badge, page)) >= 2, name  # in the legend and in a cell
    assert "<script" not in page and "http" not in page and "src=" not in page


def test_names_and_reasons_from_tables_are_text_not_markup(tmp_path):
    paths = write_card(tmp_path)
    evil = "<script>alert(1)</script>"
    for path in parts(paths[0]):
        spoil(path, pl.col("skill") + evil, "skill")
    spoil(parts(paths[0])[1], pl.lit(evil), "why")
    found = render(paths)
    assert evil not in found and "&lt;script&gt;" in found


@pytest.fixture(scope="module")
def whole(page, tmp_path_factory) -> Path:
    """Return the card as a separate page."""
    return standing(tmp_path_factory.mktemp("card") / "card.html", page)


def standing(path: Path, page: str) -> Path:
    """Write the section as a separate page."""
    style = (FOLDER / "style.css").read_text(encoding="utf-8")
    path.write_text(f"<!doctype html><meta charset=utf-8><style>{style}</style><main>{page}</main>")
    return path


CUT = """() => {
  const all = (what) => [...document.querySelectorAll(what)];
  const cells = all(".cell").map((one) => one.getBoundingClientRect());
  const named = all(".by").filter((one) => one.getClientRects().length);
  const cut = cells.filter(({ left, right }) => left < 0 || right > innerWidth);
  return [cells.length, cut.length, named.length];
}"""


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("copies", [0, 4, 6])  # with 7 models, bars are narrow; with 9, cells wrap
def test_the_card_fits_its_screen_and_no_model_is_cut(tmp_path, width, copies):
    shown = standing(tmp_path / "card.html", render(write_card(tmp_path, copies)))
    with opened(shown, width) as (view, _):
        cells, cut, named = view.evaluate(CUT)
        assert view.evaluate(WIDE) <= width
    assert cells == 14 + 5 + 11 + 14 * copies and cut == 0
    assert named == (cells if width == 390 or copies == 6 else 0)  # then there is no line of names


@pytest.mark.browser
@pytest.mark.parametrize("dark", [False, True])
def test_every_text_of_the_card_has_enough_contrast(whole, tmp_path, dark):
    with opened(whole, dark=dark) as (view, _):
        ratio, *where = view.evaluate(CONTRAST)
        paper = view.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ratio >= 4.5 and (paper == "rgb(255, 255, 255)") == (not dark), where
    pale = tmp_path / "pale.html"
    pale.write_text(whole.read_text() + "<p style='color: #777c82'>pale</p>")
    ratio, _, said, *_ = ask(pale, 1280, CONTRAST, dark=dark)
    assert ratio < 4.5 and said == "pale"
