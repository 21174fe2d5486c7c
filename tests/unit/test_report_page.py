"""The page is complete and small, shows data as text, and does not use the network."""

import re
from html import unescape
from pathlib import Path

import pyarrow as pa
import pytest
from browser import CONTRAST, WIDE, ask, draw_all, opened
from report_fixture import flags

from eyechart.core.errors import UserError
from eyechart.report import build_report
from eyechart.report.files import identify
from eyechart.tables.parquet import write_table

PAGE = "results/report/index.html"
OUTSIDE = (
    r"""(?:src|href|action|poster|data)\s*=\s*["']?\s*(?:https?:)?//"""
    r"""|@import|url\(\s*["']?(?:https?:)?//"""
)
# Selects every option of every list in turn, and returns the page's text.
CHOOSE = """async () => {
  const said = {};
  const choose = async (block, name, option, chart) => {
    const status = block.querySelector(".status");
    const drawn = () => block.querySelector(`[data-chart="${chart}"] svg.marks`);
    if (chart !== "selectivity") status.textContent = "";
    if (chart !== "responses") drawn().remove(); // it is drawn anew
    const list = block.querySelector(`select[name=${name}]`);
    list.value = option;
    list.dispatchEvent(new Event("change"));
    while (!status.textContent || !drawn()) await new Promise((next) => setTimeout(next, 10));
    return status.textContent;
  };
  const options = (block, name) =>
    [...(block.querySelector(`select[name=${name}]`)?.options ?? [])];
  const charts = { task: "matrix", span: "matrix", probe: "matrix", map: "selectivity" };
  for (const section of document.querySelectorAll("[data-draw=probes]"))
    for (const [name, chart] of Object.entries(charts))
      for (const { value } of options(section, name)) {
        const sentence = await choose(section, name, value, chart);
        said[`${section.id}/${section.querySelector("select[name=task]").value}`] = sentence;
      }
  for (const block of document.querySelectorAll("details.block"))
    for (const { value, textContent } of options(block, "view"))
      said[`${block.id}/${textContent}`] = await choose(block, "view", value, "responses");
  return said;
}"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    root = tmp_path_factory.mktemp("page")
    words = flags(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        build_report.main(words)
    return root, words


@pytest.fixture(scope="module")
def page(built: tuple[Path, list[str]]) -> str:
    return (built[0] / PAGE).read_text(encoding="utf-8")


def before_end(page: str, more: str) -> str:
    """Insert markup before the end of the page's body."""
    start, end = page.rsplit("</body>", 1)
    return f"{start}{more}</body>{end}"


def own_part(page: str) -> str:
    """Return the page without the Vega bundle, which contains URLs but never opens them."""
    return re.sub(r"<script>(?:(?!</script>).){100000,}?</script>", "", page, flags=re.S)


def test_the_page_is_one_small_file_without_external_requests(page):
    assert len(page.encode()) < 10e6
    assert len(own_part(page)) < len(page) - 100_000
    assert not re.findall(OUTSIDE, own_part(page))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy, "the browser must block all requests"
    assert "default-src 'none'" in policy[1]
    assert "http" not in policy[1]


@pytest.mark.parametrize(
    "section",
    [
        *("verdict", "findings", "models", "datasets", "probing", "behavior"),
        *("readout", "patterns", "training", "provenance"),
    ],
)
def test_every_section_is_there_and_linked(page, section):
    assert f'id="{section}"' in page
    assert f'href="#{section}"' in page


def test_text_from_data_is_shown_and_never_executed(page):
    assert "What color is the &lt;b&gt;thing&lt;/b&gt; &amp; why?" in page  # a prompt
    assert "<b>thing" not in page
    assert "&lt;/script&gt;&lt;b&gt;sphere" in page  # a label in the gallery
    assert r"\u003c/script\u003e\u003cb\u003esphere" in page  # the same in the charts' data
    assert "</script><b>sphere" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=alert(2)&gt;" in page
    assert r"\u003cscript\u003ealert(1)" in page  # an option, in the charts' data
    assert "<img src=x" not in page
    assert "<script>alert" not in page


@pytest.mark.slow
def test_building_again_gives_the_same_bytes(page, built, tmp_path, monkeypatch):
    root, words = built
    monkeypatch.chdir(root)
    again = Path(words[-1]).with_name("again.html")  # links are relative to the page's folder
    build_report.main([*words[:-1], str(again)])
    assert again.read_text(encoding="utf-8") == page


def test_every_accuracy_in_the_tables_has_its_statistics(page):
    table = page.split("<h3>Best address of each task</h3>")[-1].split("</table>")[0]
    heads = [
        unescape(re.sub("<.*?>|&shy;", " ", h)).split() for h in re.findall("<th.*?</th>", table)
    ]
    named = [" ".join(h) for h in heads]
    for needed in ("n test", "accuracy", "95%", "control by type", "labels permuted", "p", "q"):
        assert needed in named
    rows = [re.findall("<td.*?</td>", row, re.S) for row in table.split("<tr>")]
    cells = [row for row in rows if row]
    assert len(cells) == 12
    assert all(len(row) == 14 and all(re.sub("<.*?>", "", c).strip() for c in row) for row in cells)


def test_a_page_over_its_limit_is_not_written(built, tmp_path, monkeypatch):
    monkeypatch.setattr(build_report, "build", lambda *_: "x" * 10_100_000)
    monkeypatch.chdir(built[0])
    large = [*built[1][:-1], str(tmp_path / "large.html")]
    with pytest.raises(UserError, match=r"the page would take 10\.1 MB, expected at most 10"):
        build_report.main(large)
    assert not (tmp_path / "large.html").exists()


@pytest.mark.slow
@pytest.mark.browser
def test_all_choices_draw_in_a_browser_without_a_console_message(shown):
    with opened(shown) as (view, console):
        draw_all(view)
        sentences = view.evaluate(CHOOSE)
        charts = view.eval_on_selector_all(
            "[data-chart]:has(svg)", "found => found.map((one) => one.dataset.chart)"
        )
    assert console == []
    probed = {
        place: text for place, text in sentences.items() if not place.startswith("responses-")
    }
    assert len(probed) == 18  # 12 tasks of tiny_llava, 6 of tiny_clip
    for place, sentence in probed.items():
        assert sentence.startswith(f"Best address of {place.split('/')[1]}: ")
    answered = [text for place, text in sentences.items() if place.startswith("responses-")]
    assert len(answered) == 48  # coco: 3 answers, 1 position; mmvp: 10 and 10; for two models
    assert all(re.match(r"Total variation from the truth .*n = \d+", text) for text in answered)
    coco, mmvp = ["accuracy", "responses"], ["accuracy", "pair_accuracy", "responses"]
    blocks = ["overview", *coco * 2, *mmvp * 2]
    exams = ["curve", "matrix", "selectivity", "components"] * 2
    assert charts == [*exams, *blocks, "readouts", "training"]


SCREENS, SCREEN = 6, 900
OPEN = """() => [...document.querySelectorAll("details[open]")]
  .map((one) => [one.id, one.querySelectorAll("svg.marks").length])"""
CUT_CURVES = """() => {
  const cut = (chart) => [...chart.querySelectorAll("text")]
    .filter((one) => one.getBoundingClientRect().right > chart.getBoundingClientRect().right + 1);
  return [...document.querySelectorAll("#probing [data-chart=curve] svg")]
    .map((chart) => cut(chart).map((one) => one.textContent));
}"""


@pytest.fixture(scope="module")
def shown(page, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("shown") / "page.html"
    path.write_text(page, encoding="utf-8")
    return path


@pytest.mark.browser
def test_all_but_the_card_is_folded_and_that_is_at_most_six_screens(shown):
    with opened(shown) as (view, _):
        height = view.evaluate("document.documentElement.scrollHeight")
        assert 2 * SCREEN < height <= SCREENS * SCREEN
        assert view.locator("#main details[open]").count() == 0
        assert view.locator("svg.marks").count() == 0


@pytest.mark.browser
def test_a_link_opens_its_fold_and_draws_what_was_hidden(shown):
    with opened(shown) as (view, _):
        view.click('nav a[href="#probing"]')
        view.evaluate("location.hash = '#clevr-tiny_llava'")
        view.wait_for_function(
            "document.querySelectorAll('#clevr-tiny_llava svg.marks').length == 4"
        )
        assert view.evaluate(OPEN) == [["probing", 4], ["clevr-tiny_llava", 4]]


@pytest.mark.browser
def test_printing_opens_every_fold_with_its_charts_and_closes_them_again(shown):
    with opened(shown) as (view, _):
        closed = view.locator("details:not([open], .vega-embed *)")
        before = closed.count()
        assert before > 20 and view.locator("[data-chart]:not(:has(svg.marks))").count() > 10
        draw_all(view)
        assert closed.count() == 0
        view.evaluate("dispatchEvent(new Event('afterprint'))")
        assert closed.count() == before


@pytest.mark.browser
def test_nothing_is_cut_on_a_phone(shown):
    assert ask(shown, 390, WIDE) <= 390


@pytest.mark.browser
def test_no_name_in_the_legend_of_a_curve_is_cut_on_a_phone(shown):
    with opened(shown, 390) as (view, _):
        draw_all(view)
        found = view.evaluate(CUT_CURVES)
    assert found and not any(found), found


@pytest.mark.browser
@pytest.mark.parametrize("dark", [False, True])
def test_every_text_has_enough_contrast(shown, dark):
    ratio, *where = ask(shown, 1280, CONTRAST, dark=dark)
    assert ratio >= 4.5, where


def test_a_report_with_only_answers_or_only_probes_is_a_page(built, tmp_path, monkeypatch):
    root, words = built
    monkeypatch.chdir(root)
    monkeypatch.setattr("vl_convert.javascript_bundle", lambda *_, **__: "")  # takes seconds
    probed = ("probes", "predictions", "manifests", "curves")
    answered = ("scores", "distributions", "answers", "retrieval", "patterns", "correlations")
    for left_out, kept, gone in (
        (probed, "behavior", "training"),
        (answered, "training", "behavior"),
    ):
        output = tmp_path / f"{kept}.html"
        build_report.main([*without(words, left_out)[:-1], str(output)])
        page = output.read_text(encoding="utf-8")
        assert f'<details class="fold" id="{kept}"' in page
        assert f'id="{gone}"' not in page


def without(words: list[str], tables: tuple[str, ...]) -> list[str]:
    """Return a command line without the files of the given tables."""
    start, end = words.index("--tables") + 1, words.index("--settings")
    kept = [path for path in words[start:end] if identify(path).table not in tables]
    return [*words[:start], *kept, *words[end:]]


def test_mined_pairs_are_counted(built, tmp_path, monkeypatch):
    root, words = built
    monkeypatch.chdir(root)
    monkeypatch.setattr("vl_convert.javascript_bundle", lambda *_, **__: "")
    folder = tmp_path / "results/mining/tiny_clip_against_tiny_dino/clevr"
    rows = {"similarity_first": [0.97, 0.99], "similarity_second": [0.5, 0.31]}
    write_table(folder / "pairs.parquet", pa.table(rows))
    at = words.index("--tables") + 1
    output = tmp_path / "page.html"
    mined = [*words[:at], str(folder / "pairs.parquet"), *words[at:-1], str(output)]
    build_report.main(mined)
    page = output.read_text(encoding="utf-8")
    row = re.search(r"<tr><th>clevr</th><td>tiny_clip</td><td>tiny_dino</td>(.*?)</tr>", page)
    assert row
    assert re.findall(r'class="n">([^<]*)', row[1]) == ["2", "0.97", "0.50"]
    with pytest.raises(UserError, match="is not a file that the report reads; did you mean"):
        identify("results/mining/clevr/pairs.parquet")


@pytest.mark.browser
def test_the_browser_blocks_all_requests_of_the_page(page, tmp_path):
    leaking = tmp_path / "leaking.html"
    image = '<img src="http://example.invalid/x.png">'
    leaking.write_text(before_end(own_part(page), image), encoding="utf-8")
    with opened(leaking) as (_, console):
        pass
    assert any("Content Security Policy" in line for line in console)
