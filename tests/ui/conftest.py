"""A real Chromium, one for all tests of a run, and axe-core to judge what it shows."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.chrome.webdriver import WebDriver

from tests.ui.house import House, open_house
from tests.ui.page import Page

AXE = "axe-core@4.14.1"
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--window-size=1280,800",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker("ui")


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebDriver]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("no Chromium here: apt-get install chromium chromium-driver")
    options = ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = WebDriver(options=options, service=Service(driver))
    yield chrome
    chrome.quit()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Three accounts that work: ana, ben and cleo."""
    with open_house(tmp_path) as opened:
        yield opened


@pytest.fixture
def visit(browser: WebDriver) -> Iterator[Page]:
    """A page on a desktop, in light colours; ``url`` is still to be set. Nothing may have been complained about."""
    page = Page(browser, "")
    page.emulate()
    yield page
    complaints = page.complaints()
    page.forget()
    assert complaints == []


@pytest.fixture
def page(house: House, visit: Page) -> Page:
    """The page of the house, not signed in yet."""
    visit.url = house.url
    return visit


@pytest.fixture(scope="session")
def axe(pytestconfig: pytest.Config) -> str:
    """The source of axe-core, fetched once with npm into pytest's cache."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm here: axe-core cannot be fetched")
    assert pytestconfig.cache is not None
    folder = pytestconfig.cache.mkdir("axe-core")
    source = folder / "node_modules" / "axe-core" / "axe.min.js"
    if not source.exists():
        options = ("--prefix", str(folder), "--no-audit", "--no-fund", "--ignore-scripts", "--no-save")
        subprocess.run([npm, "install", *options, AXE], check=True, capture_output=True, timeout=300)
    return source.read_text(encoding="utf-8")
