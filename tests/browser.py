"""A headless Chromium for tests that render pages."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
WAIT = 240_000  # milliseconds; an upper limit: no test waits for a fixed time
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND"]


def chromium() -> str:
    """Return the path of Chromium; if there is none, fail in CI and skip elsewhere."""
    found = next((path for path in map(shutil.which, NAMES) if path), "")
    if not found and os.environ.get("CI") == "true":
        pytest.fail("Chromium is not installed: CI must test the page in a browser")
    if not found:
        pytest.skip("NOT TESTED IN A BROWSER: Chromium is not installed")
    return found


@contextmanager
def opened(
    path: Path, width: int = 1280, *, dark: bool = False
) -> Iterator[tuple[Page, list[str]]]:
    """Open a page without network in a window of a width; yield it and its console messages."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        scheme = "dark" if dark else "light"
        window = {"width": width, "height": 900}
        page = browser.new_page(viewport=window, color_scheme=scheme)  # type: ignore[arg-type]
        page.set_default_timeout(WAIT)
        console: list[str] = []
        page.on("console", lambda message: console.append(message.text))
        page.on("pageerror", lambda error: console.append(str(error)))
        page.goto(path.resolve().as_uri())
        yield page, console
        browser.close()


def ask(path: Path, width: int, script: str, *, dark: bool = False) -> Any:
    """Return the value of a JavaScript expression or function on a page of the given width."""
    with opened(path, width, dark=dark) as (page, _):
        return page.evaluate(script)


def draw_all(page: Page) -> None:
    """Open every fold, as printing does, and return once all charts are drawn."""
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.wait_for_function("!document.querySelector('[data-chart]:not(:has(svg.marks))')")


# A figure has its own colours and its own card.
WIDE = """() => {
  for (const one of document.querySelectorAll("details")) one.open = true;
  return document.documentElement.scrollWidth;
}"""
CONTRAST = """() => {
  for (const one of document.querySelectorAll("details")) one.open = true;
  const rgb = (text) => text.match(/[\\d.]+/g).map((v) => v * (text.startsWith("c") ? 1 : 1 / 255));
  const light = (text) => rgb(text).slice(0, 3)
    .map((v) => (v <= 0.04 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const found = [];
  for (const one of document.querySelectorAll("body *:not(script):not(style):not(.chart *)")) {
    const own = [...one.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !one.getClientRects().length) continue;
    let at = one;
    const behind = () => getComputedStyle(at).backgroundColor;
    while (at !== document.body && behind() === "rgba(0, 0, 0, 0)") at = at.parentElement;
    const two = [getComputedStyle(one).color, behind()];
    const [low, high] = two.map(light).sort((a, b) => a - b);
    found.push([(high + 0.05) / (low + 0.05), one.tagName, one.textContent.trim(), ...two]);
  }
  return found.sort((a, b) => a[0] - b[0])[0];
}"""
