"""Limits of chat templates: they hold in the main thread and where batches are prepared."""

import resource
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from transformers.utils.chat_template_utils import render_jinja_template

from eyechart.core.errors import UserError
from eyechart.inference.preprocessing import ahead
from eyechart.models import limits

LOOPS = "{% for a in range(99999) %}" * 3 + "{% endfor %}" * 3
# Quick for the first question, which a description asks, and without an end for another
SLY = "{% if 'color' in messages[0].content %}" + LOOPS + "{% endif %}ok"


def render(template: str, content: str = "?") -> str:
    talk = [[{"role": "user", "content": content}]]
    made = lambda: render_jinja_template(talk, chat_template=template)[0][0]  # noqa: E731
    return limits.rendered("owner/model", made)


def in_main(work: Callable[[], Any]) -> Any:
    return work()


def in_thread(work: Callable[[], Any]) -> Any:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def in_preparation(work: Callable[[], Any]) -> Any:
    return next(iter(ahead(lambda _: work(), [1], len)))


@pytest.mark.parametrize("where", [in_main, in_thread, in_preparation])
def test_a_template_without_an_end_is_stopped_in_any_thread(where, monkeypatch):
    monkeypatch.setattr(limits, "MOST_SECONDS", 0.2)
    assert where(lambda: render(SLY)) == "ok"
    with pytest.raises(UserError) as raised:
        where(lambda: render(SLY, "what color?"))
    assert str(raised.value) == "owner/model: its chat template takes more than 0.2 s"


@pytest.mark.parametrize("where", [in_main, in_thread])
def test_what_ends_in_time_is_left_alone_afterwards(where, monkeypatch):
    monkeypatch.setattr(limits, "MOST_SECONDS", 0.05)

    def work() -> Iterator[str]:
        made = [render("ok") for _ in range(20)]
        sum(range(10**7))  # longer than the limit
        return made

    assert where(work) == ["ok"] * 20


def test_a_template_that_takes_much_memory_is_stopped_and_the_limit_is_lifted(monkeypatch):
    monkeypatch.setattr(limits, "MOST_MEMORY", 1 << 28)
    doubling = (
        "{% set all = namespace(text='x') %}{% for a in range(29) %}"
        "{% set all.text = all.text ~ all.text %}{% endfor %}{{ all.text }}"
    )
    before = resource.getrlimit(resource.RLIMIT_AS)
    with pytest.raises(UserError) as raised:
        render(doubling)
    assert str(raised.value) == "owner/model: its chat template takes more than 256 MiB"
    assert resource.getrlimit(resource.RLIMIT_AS) == before
