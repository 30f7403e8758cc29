"""The admin page as a person uses it: by labels, names of buttons and visible text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from selenium.common.exceptions import (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    NoSuchElementException,
    StaleElementReferenceException,
    TimeoutException,
)
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

from tests.ui.house import ADMIN_KEY

PATIENCE = 20.0
_PASSING = (
    NoSuchElementException,
    StaleElementReferenceException,
    ElementClickInterceptedException,
    ElementNotInteractableException,
    AssertionError,
)
_T = TypeVar("_T")


class Page:
    """``expected`` are pieces of console messages that a test brings about on purpose."""

    def __init__(self, driver: WebDriver, url: str) -> None:
        self.driver = driver
        self.url = url
        # Chrome itself logs every answer of 4xx; asking for a session that is not there is how the page begins.
        self.expected = ["/api/admin/session - Failed to load resource: the server responded with a status of 401"]

    # --- getting somewhere ---

    def open(self, path: str = "") -> None:
        self.driver.get(f"{self.url}/admin{path}")

    def sign_in(self, path: str = "", key: str = ADMIN_KEY) -> None:
        """Open the page anew and come in."""
        self.open(path)
        self.type("Admin key", key)
        self.press("Sign in")
        self.wait(lambda: self.find(".live[data-status=live]", hidden=True))

    def go(self, route: str, heading: str) -> None:
        """Another screen, by its address; waits for its heading and for what it loads."""
        self.driver.execute_script("location.hash = arguments[0]", f"#{route}")
        self.wait_text("h1", heading)
        self.wait(lambda: not self.all(".skeleton"))

    # --- looking ---

    def wait(self, condition: Callable[[], _T]) -> _T:
        """The first true value of ``condition``."""

        def attempt(_: WebDriver) -> _T:
            return condition()

        try:
            return WebDriverWait(self.driver, PATIENCE, poll_frequency=0.05, ignored_exceptions=_PASSING).until(attempt)
        except TimeoutException as error:
            text = self.driver.find_element(By.TAG_NAME, "body").text
            raise AssertionError(f"not before the end of patience; the page says:\n{text}") from error

    def find(self, css: str, *, hidden: bool = False) -> WebElement:
        """The first visible match."""
        found = self.driver.find_elements(By.CSS_SELECTOR, css) if hidden else self.all(css)
        if not found:
            raise NoSuchElementException(css)
        return found[0]

    def all(self, css: str, text: str = "") -> list[WebElement]:
        """All visible matches with that text in them."""
        # In one call: asking the browser about two hundred rows one by one takes seconds.
        found: list[WebElement] = self.js(
            "return [...document.querySelectorAll(arguments[0])].filter((one) =>"
            " one.checkVisibility({visibilityProperty: true}) && (one.innerText ?? '').includes(arguments[1]))",
            css,
            text,
        )
        return found

    def wait_text(self, css: str, text: str) -> WebElement:
        """The first visible match with that text in it."""

        return self.wait(lambda: next(iter(self.all(css, text)), None))  # type: ignore[return-value]

    def wait_gone(self, css: str) -> None:
        self.wait(lambda: not self.all(css))

    def row(self, name: str) -> WebElement:
        """An account's row in the table."""
        return self.wait_text(".accounts tbody tr", name)

    def js(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    # --- doing ---

    def labelled(self, label: str, tag: str = "*") -> WebElement:
        """A field, by the text of its label or its aria-label."""
        beside = f"//label[starts-with(normalize-space(), '{label}')]"
        path = f"//{tag}[@id = {beside}/@for or @aria-label = '{label}'] | {beside}//input"
        for element in self.driver.find_elements(By.XPATH, path):
            if element.is_displayed():
                return element
        raise NoSuchElementException(label)

    def type(self, label: str, text: str) -> None:
        """Replace what a field holds."""

        def attempt() -> bool:
            element = self.labelled(label)
            element.clear()
            element.send_keys(text)
            return True

        self.wait(attempt)

    def tick(self, label: str) -> None:
        """Press a box with that label."""

        def attempt() -> bool:
            self.labelled(label).click()
            return True

        self.wait(attempt)

    def choose(self, label: str, text: str) -> None:
        """An option of a select."""

        def attempt() -> bool:
            Select(self.labelled(label, "select")).select_by_visible_text(text)
            return True

        self.wait(attempt)

    def button(self, name: str, inside: WebElement | None = None) -> WebElement:
        """A visible button or link, by its text or label."""
        path = f".//*[self::button or self::a][normalize-space() = '{name}' or @aria-label = '{name}']"
        for element in (inside or self.driver).find_elements(By.XPATH, path):
            if element.is_displayed():
                return element
        raise NoSuchElementException(name)

    def press(self, name: str, inside: Callable[[], WebElement] | None = None) -> None:
        def attempt() -> bool:
            self.button(name, inside() if inside else None).click()
            return True

        self.wait(attempt)

    def menu(self, account: str, entry: str) -> None:
        """Choose from an account's menu."""
        self.press(f"Actions for {account}")
        self.press(entry, lambda: self.find("[role=menu]"))

    def menu_of_detail(self, entry: str) -> None:
        """Choose from the menu of the account that is looked at."""
        self.press("More actions")
        self.press(entry, lambda: self.find("[role=menu]"))

    def toast(self, text: str) -> WebElement:
        return self.wait_text(".toast", text)

    # --- afterwards ---

    def complaints(self) -> list[str]:
        """Errors and CSP violations in the console since the last time, but those that were expected."""
        entries = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        messages = [entry["message"] for entry in entries if entry["level"] in ("SEVERE", "WARNING")]
        return [message for message in messages if not any(piece in message for piece in self.expected)]

    def emulate(self, *, dark: bool = False, width: int = 1280, height: int = 800, phone: bool = False) -> None:
        """The device the page is looked at with."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        calm = {"name": "prefers-reduced-motion", "value": "reduce"}
        self.cdp("Emulation.setEmulatedMedia", features=[scheme, calm])
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone}
        self.cdp("Emulation.setDeviceMetricsOverride", **metrics)

    def cdp(self, command: str, **parameters: Any) -> Any:
        return self.driver.execute_cdp_cmd(command, parameters)

    def forget(self) -> None:
        """As if the browser had never been here."""
        self.driver.get("about:blank")
        self.cdp("Network.clearBrowserCookies")
        self.cdp("Storage.clearDataForOrigin", origin=self.url or "http://127.0.0.1", storageTypes="all")
