"""A headless Chromium for the tests that look at pages."""

import os
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
DARK = "--blink-settings=preferredColorScheme=0"
# A window is never narrower than 500 px, so a page is looked at in a frame, as wide as a phone
FRAME = """<!doctype html><body><iframe src="{src}" style="width:{width}px;height:900px;border:0">
</iframe><script>onload = () => setTimeout(async () => {{
  const {{ contentWindow: view, contentDocument: page }} = document.querySelector("iframe");
  const said = "said " + (await ({script})(view, page));
  document.body.innerHTML = "<pre>";
  document.querySelector("pre").textContent = said;
}}, 3000)</script>"""


def chromium() -> str:
    """Return the path of a Chromium; without one, fail in CI and skip elsewhere."""
    found = next((path for path in map(shutil.which, NAMES) if path), "")
    if not found and os.environ.get("CI") == "true":
        pytest.fail("Chromium is not installed: CI must look at the page in a browser")
    if not found:
        pytest.skip("NOT LOOKED AT IN A BROWSER: Chromium is not installed")
    return found


def browse(path: Path, profile: Path, *flags: str) -> tuple[str, list[str]]:
    """Open a page without network; return its final markup and its console's messages."""
    command = [chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    command += ["--disable-background-networking", "--disable-dev-shm-usage"]
    command += ["--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={profile}"]
    command += ["--enable-logging=stderr", "--v=0", "--window-size=1400,3000", *flags]
    command += ["--virtual-time-budget=120000", "--dump-dom", path.resolve().as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if ":CONSOLE" in line]


def ask(page: Path, width: int, script: str, *flags: str) -> str:
    """Return what a function of window and document says of a page of some width."""
    frame = page.with_name(f"{page.stem}_framed.html")
    frame.write_text(FRAME.format(src=page.name, width=width, script=script), encoding="utf-8")
    local = "--allow-file-access-from-files"  # else a frame's document cannot be read
    markup, console = browse(frame, page.with_name("profile"), local, *flags)
    said = re.search(r"<pre>said (.*?)</pre>", markup, re.S)
    assert said, console
    return unescape(said[1])


# Functions for ``ask``. A figure has its own colours and its own card.
WIDE = """(view, page) => {
  for (const one of page.querySelectorAll("details")) one.open = true;
  return page.documentElement.scrollWidth;
}"""
CONTRAST = """(view, page) => {
  for (const one of page.querySelectorAll("details")) one.open = true;
  const rgb = (text) => text.match(/[\\d.]+/g).map((v) => v * (text.startsWith("c") ? 1 : 1 / 255));
  const light = (text) => rgb(text).slice(0, 3)
    .map((v) => (v <= 0.04 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const found = [];
  for (const one of page.querySelectorAll("body *:not(script):not(style):not(.chart *)")) {
    const own = [...one.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !one.getClientRects().length) continue;
    let at = one;
    const behind = () => view.getComputedStyle(at).backgroundColor;
    while (at !== page.body && behind() === "rgba(0, 0, 0, 0)") at = at.parentElement;
    const two = [view.getComputedStyle(one).color, behind()];
    const [low, high] = two.map(light).sort((a, b) => a - b);
    found.push([(high + 0.05) / (low + 0.05), one.tagName, one.textContent.trim(), ...two]);
  }
  return JSON.stringify(found.sort((a, b) => a[0] - b[0])[0]);
}"""
CUT_CURVES = """async (view, page) => {
  view.dispatchEvent(new Event("beforeprint")); // opens every fold and draws its charts
  const drawn = () => page.querySelector("#probing [data-chart=curve] svg");
  for (let n = 0; n < 100 && !drawn(); n++)
    await new Promise((resolve) => view.setTimeout(resolve, 300));
  const found = [];
  for (const chart of page.querySelectorAll("#probing [data-chart=curve] svg")) {
    const edge = chart.getBoundingClientRect().right + 1;
    found.push([...chart.querySelectorAll("text")]
      .filter((one) => one.getBoundingClientRect().right > edge).map((one) => one.textContent));
  }
  return JSON.stringify(found);
}"""
