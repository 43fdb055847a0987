"""The page in a real browser: Chromium without a window, driven by chromedriver."""

import base64
from collections.abc import Generator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from .browsing import browsing
from .pictures import CHELSEA, COFFEE
from .served import serving

SECONDS = 30


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Generator[Chrome]:
    profile = tmp_path_factory.mktemp("profile")
    with serving() as server, browsing(f"http://127.0.0.1:{server.port}/", profile) as chrome:
        yield chrome


def wait(browser: Chrome, script: str) -> None:
    """Until the script gives something true."""
    WebDriverWait(browser, SECONDS).until(lambda chrome: chrome.execute_script(f"return {script}"))


def text(browser: Chrome, selector: str) -> str:
    return browser.find_element(By.CSS_SELECTOR, selector).text


def choose(browser: Chrome, path: Path) -> None:
    browser.find_element(By.ID, "file").send_keys(str(path))


def drop(browser: Chrome, path: Path) -> None:
    """What a hand does that drags a file from a folder onto the page."""
    script = """
        const bytes = Uint8Array.from(atob(arguments[0]), (letter) => letter.charCodeAt(0));
        const data = new DataTransfer();
        data.items.add(new File([bytes], arguments[1]));
        const target = document.getElementById("drop");
        for (const name of ["dragover", "drop"]) {
          target.dispatchEvent(new DragEvent(name, { dataTransfer: data, bubbles: true, cancelable: true }));
        }
    """
    browser.execute_script(script, base64.b64encode(path.read_bytes()).decode(), path.name)


OVERLAY_IS_DRAWN = "document.getElementById('overlay').naturalWidth === 448"


@pytest.mark.slow
@pytest.mark.parametrize(("give", "path", "label"), [(choose, COFFEE, "espresso"), (drop, CHELSEA, "tiger cat")])
def test_a_photo_gets_five_classes_its_overlay_and_the_times(
    browser: Chrome, give: object, path: Path, label: str
) -> None:
    assert callable(give)
    give(browser, path)
    wait(browser, OVERLAY_IS_DRAWN)
    rows = browser.find_elements(By.CSS_SELECTOR, "#classes tbody tr")
    assert len(rows) == 5
    assert rows[0].text.startswith(label)
    assert rows[0].text.endswith(" %")
    assert text(browser, "#status") == f"{path.name}: {label}"
    assert browser.execute_script("return document.getElementById('file').files[0].name") == path.name
    times = [row.text.rsplit(" ", 1) for row in browser.find_elements(By.CSS_SELECTOR, "#times tbody tr")]
    assert [name for name, _ in times] == [
        *["Decode", "Crop, resize, normalise", "Wait for the model", "Infer", "Whole request, seen from this page"]
    ]
    assert sum(float(ms) for _, ms in times[:4]) <= float(times[4][1])
    assert label in text(browser, "#caption")
    overlay = browser.find_element(By.ID, "overlay")
    assert overlay.is_displayed()
    assert label in (overlay.get_attribute("alt") or "")
    assert not browser.find_element(By.ID, "error").is_displayed()


def test_a_bad_file_gets_one_clear_line_and_the_next_photo_an_answer(browser: Chrome, tmp_path: Path) -> None:
    bad = tmp_path / "notes.jpg"
    bad.write_text("these are notes, <b>not</b> a photo")
    choose(browser, bad)
    wait(browser, "!document.getElementById('error').hidden")
    assert text(browser, "#error").startswith("notes.jpg: not a picture in a known format; use one of JPEG")
    assert browser.find_element(By.ID, "error").get_attribute("role") == "alert"
    assert not browser.find_element(By.ID, "answer").is_displayed()
    choose(browser, COFFEE)
    wait(browser, OVERLAY_IS_DRAWN)
    assert not browser.find_element(By.ID, "error").is_displayed()
    assert browser.find_element(By.ID, "answer").is_displayed()


def test_the_page_can_be_used_without_a_mouse_and_read_aloud(browser: Chrome) -> None:
    chosen = browser.execute_script("document.getElementById('file').focus(); return document.activeElement.id")
    assert chosen == "file"
    assert browser.execute_script("return document.documentElement.lang") == "en"
    assert browser.execute_script("return document.getElementById('drop').control.id") == "file"
    assert browser.execute_script("return document.getElementById('status').ariaLive") == "polite"
    images = browser.find_elements(By.TAG_NAME, "img")
    assert images
    assert all(image.get_attribute("alt") is not None for image in images)


def test_the_page_loads_nothing_from_elsewhere_and_logs_no_fault(browser: Chrome) -> None:
    names = browser.execute_script("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    here = browser.execute_script("return location.origin")
    assert names
    assert all(name.startswith((here, f"blob:{here}")) for name in names), names
    # A refused request is logged by the browser itself.
    faults = [entry["message"] for entry in browser.get_log("browser") if "status of 400" not in entry["message"]]
    assert faults == []
