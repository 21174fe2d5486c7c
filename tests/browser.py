"""A headless Chromium for the tests that look at pages."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")


def chromium() -> str:
    """Return the path of a Chromium; without one, fail in CI and skip elsewhere."""
    found = next((path for path in map(shutil.which, NAMES) if path), "")
    if not found and os.environ.get("CI") == "true":
        pytest.fail("Chromium is not installed: CI must look at the page in a browser")
    if not found:
        pytest.skip("NOT LOOKED AT IN A BROWSER: Chromium is not installed")
    return found


def browse(path: Path, profile: Path) -> tuple[str, list[str]]:
    """Open a page without network; return its final markup and its console's messages."""
    command = [chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    command += ["--disable-background-networking", "--disable-dev-shm-usage"]
    command += ["--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={profile}"]
    command += ["--enable-logging=stderr", "--v=0", "--window-size=1400,3000"]
    command += ["--virtual-time-budget=120000", "--dump-dom", path.resolve().as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
