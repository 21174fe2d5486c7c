"""Limits on chat templates apply to every prompt, not only to the first."""

import resource
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from test_behavior_answers import ROWS, Asker
from tiny_models import build_dataset
from transformers.utils.chat_template_utils import render_jinja_template

from eyechart.core.errors import UserError
from eyechart.models import limits
from eyechart.tables.parquet import read_table

LOOPS = "{% for a in range(99999) %}" * 3 + "{% endfor %}" * 3
DOUBLES = (
    "{% set all = namespace(text='x') %}{% for a in range(29) %}"
    "{% set all.text = all.text ~ all.text %}{% endfor %}{{ all.text }}"
)
RAISES = "{{ raise_exception('too odd') }}"


def render(template: str, content: str = "?") -> str:
    talk = [[{"role": "user", "content": content}]]
    made = lambda: render_jinja_template(talk, chat_template=template)[0][0]  # noqa: E731
    return limits.rendered("owner/model", made)


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_SECONDS", 1)
    monkeypatch.setattr(limits, "MOST_MEMORY", 1 << 28)


class Sly(Asker):
    """A model whose template misbehaves only for questions that contain a certain word."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        rows = [("a", [0], "what is it"), ("b", [1], "an odd one"), ("c", [2], "what else")]
        self.data = build_dataset(folder / "data", 5, rows)
        self.template = self.models["llava"] / "chat_template.jinja"
        self.plain = self.template.read_text()

    def be(self, sly: str) -> None:
        asked = "{% if 'odd' in messages | string %}" + sly + "{% endif %}"
        self.template.write_text(asked + self.plain)

    def ask(self, out: Path) -> Any:
        rows = [{**row, "prompt": "an odd one"} if row["item_id"] == "e" else row for row in ROWS]
        return self.answer(out, rows, conditions=["sighted"])


@pytest.fixture(scope="module")
def sly(tmp_path_factory: pytest.TempPathFactory) -> Sly:
    return Sly(tmp_path_factory.mktemp("sly"))


@pytest.mark.parametrize("step", [Sly.extract, Sly.ask])
@pytest.mark.parametrize(
    ("template", "much"), [(LOOPS, "1 s"), (DOUBLES, "256 MiB")], ids=["time", "memory"]
)
def test_a_template_that_is_slow_for_a_later_prompt_ends_the_step(
    sly: Sly, tmp_path: Path, strict: None, step: Callable[..., Any], template: str, much: str
) -> None:
    sly.be(template)
    with pytest.raises(UserError) as raised:
        step(sly, tmp_path)
    assert str(raised.value).endswith(f"llava: its chat template takes more than {much}")


def test_a_template_that_rejects_one_prompt_drops_only_that_item(sly: Sly, tmp_path: Path) -> None:
    sly.be(RAISES)
    (rows,) = sly.ask(tmp_path / "answered").values()
    assert [row["item_id"] for row in rows] == ["a", "b", "c"]
    files = sly.extract(tmp_path / "extracted")  # its image is processed without a question
    assert len(read_table(files["image_output"])) == 5
    assert read_table(files["item_output"])["item_id"].to_pylist() == ["a", "c"]


def test_every_template_is_rendered_in_the_main_thread(
    sly: Sly, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sly.be("")
    threads, rendered = [], limits.rendered

    def seen(checkpoint: str, render: Callable[[], Any]) -> str:
        threads.append(threading.current_thread())
        return rendered(checkpoint, render)

    monkeypatch.setattr("eyechart.models.families.prompts.rendered", seen)
    sly.extract(tmp_path / "extracted")
    sly.ask(tmp_path / "answered")
    assert len(threads) == 6 and set(threads) == {threading.main_thread()}


def test_no_template_is_rendered_without_limits() -> None:
    with ThreadPoolExecutor(1) as pool, pytest.raises(RuntimeError, match="main thread"):
        pool.submit(render, "ok").result()


def test_a_block_that_ends_in_time_is_not_interrupted_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "MOST_SECONDS", 0.05)
    made = [render("ok") for _ in range(20)]
    sum(range(10**7))  # longer than the limit
    assert made == ["ok"] * 20


def test_a_template_that_uses_too_much_memory_is_stopped_and_the_limit_lifted(strict: None) -> None:
    before = resource.getrlimit(resource.RLIMIT_AS)
    with pytest.raises(UserError) as raised:
        render(DOUBLES)
    assert str(raised.value) == "owner/model: its chat template takes more than 256 MiB"
    assert resource.getrlimit(resource.RLIMIT_AS) == before
