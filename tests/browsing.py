"""A real browser: Chromium without a window, driven by chromedriver."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1100,900"),
)


@contextmanager
def browsing(address: str, profile: Path) -> Iterator[Chrome]:
    """A browser that has opened ``address`` and keeps its console's log; ``profile`` is a folder of its own."""
    chromium, driver = _programs()
    options = ChromeOptions()
    options.binary_location = chromium
    for flag in (*_FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = Chrome(options, Service(driver))
    try:
        chrome.get(address)
        yield chrome
    finally:
        chrome.quit()


def _programs() -> tuple[str, str]:
    """Chromium and its driver. Without them the test is skipped, but not in CI."""
    found = shutil.which("chromium"), shutil.which("chromedriver")
    if found[0] and found[1]:
        return found[0], found[1]
    reason = "no chromium and chromedriver here: apt-get install chromium chromium-driver"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
