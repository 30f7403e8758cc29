"""Each screen in both themes and on a phone: nothing cut off, nothing inaccessible."""

from __future__ import annotations

from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys

from tests.ui.house import House
from tests.ui.page import Page

SCREENS = (
    ("/", "Overview"),
    ("/accounts", "Accounts"),
    ("/accounts/2", "ben@example.com"),
    ("/accounts/99", "Account #99"),
    ("/add", "Add account"),
    ("/add/builder-id", "Sign in with Builder ID"),
    ("/add/idc", "Sign in with your organisation"),
    ("/add/token", "Add a refresh token"),
    ("/add/api-key", "Add an API key"),
    ("/import", "Import tokens"),
    ("/keys", "Client keys"),
    ("/activity", "Activity"),
    ("/connect", "Connect"),
    ("/settings", "Settings"),
)


WIDER = """
return [...document.querySelectorAll("#app *")]
  .filter((one) => one.checkVisibility() && one.getBoundingClientRect().right > 361
    && !one.closest("thead, pre, .pills, .tabs, .truncate"))
  .map((one) => one.outerHTML.slice(0, 80));
"""


@pytest.fixture
def lively(page: Page, house: House) -> Page:
    """Some requests have been answered, and ana needs to sign in again."""
    house.say()
    house.say("<<FAULT too-long>>")
    house.simulator.grants.revoke(house.simulator.accounts["ana"])
    house.say()
    # The page may ask for ana's balance before it knows.
    page.expected.append("balance - Failed to load resource: the server responded with a status of 502")
    return page


def serious(page: Page, axe: str) -> list[str]:
    """What axe-core finds that keeps people out."""
    if not page.js("return 'axe' in window"):
        page.js(axe)
    found: dict[str, Any] = page.driver.execute_async_script(
        "const done = arguments[arguments.length - 1]; axe.run(document, {resultTypes: ['violations']}).then(done)"
    )
    return [
        f"{violation['id']}: {node['target']} {node['failureSummary']}"
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_screen_is_accessible(lively: Page, axe: str, dark: bool) -> None:
    page = lively
    page.emulate(dark=dark)
    page.open()
    page.wait_text("h1", "Sign in")
    assert serious(page, axe) == []
    page.sign_in()
    for route, heading in SCREENS:
        page.go(route, heading)
        assert serious(page, axe) == [], route
    # The judge is awake.
    page.js("document.querySelector('main').append(document.createElement('img'))")
    assert [finding.split(":")[0] for finding in serious(page, axe)] == ["image-alt"]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_what_opens_is_accessible(page: Page, axe: str, dark: bool) -> None:
    page.emulate(dark=dark)
    page.sign_in("#/accounts")
    page.row("ana")
    page.press("Actions for ana@example.com")
    page.find("[role=menu]")
    assert serious(page, axe) == []
    page.press("Delete…")
    page.wait(lambda: page.find("dialog"))
    assert serious(page, axe) == []
    page.press("Cancel")
    page.tick("Select all accounts shown")
    page.press("Columns")
    assert serious(page, axe) == []
    page.find("body").send_keys(Keys.ESCAPE)
    page.go("/keys", "Client keys")
    page.press("New key")
    page.press("Make the key")
    page.wait_text(".problem", "Name is needed.")
    assert serious(page, axe) == []
    page.type("Name", "laptop")
    page.press("Make the key")
    page.wait_text(".secret output", "sk-kiro-")
    assert serious(page, axe) == []
    page.go("/accounts/1", "ana@example.com")
    page.press("Send a test")
    page.wait_text(".notice", "It works.")
    assert serious(page, axe) == []
    page.go("/add/builder-id", "Sign in with Builder ID")
    page.press("Get a code")
    page.wait_text(".user-code output", "-")
    assert serious(page, axe) == []


def test_no_screen_is_wider_than_a_phone(lively: Page) -> None:
    page = lively
    page.emulate(width=360, height=740, phone=True)
    page.sign_in()
    for route, heading in SCREENS:
        page.go(route, heading)
        assert page.js(WIDER) == [], route
        assert page.js("return document.documentElement.scrollWidth") <= 360, route
        nav = page.find(".nav").rect
        assert nav["y"] + nav["height"] == pytest.approx(740, abs=1), route
        small = page.js(
            """
            return [...document.querySelectorAll("main button, main .button, .topbar button, .nav a")]
              .filter((one) => one.offsetParent && (one.offsetHeight < 22 || one.offsetWidth < 22))
              .map((one) => one.outerHTML.slice(0, 80));
            """
        )
        assert small == [], route


def test_the_theme_follows_the_system_until_one_is_chosen(page: Page) -> None:
    background = "return getComputedStyle(document.body).backgroundColor"
    page.sign_in()
    light = page.js(background)
    page.emulate(dark=True)
    dark = page.wait(lambda: page.js(background) if page.js(background) != light else None)
    page.press("Theme: as the system. Change it")
    page.wait(lambda: page.js(background) == light)
    page.driver.refresh()
    page.wait_text("h1", "Overview")
    assert page.js(background) == light
    page.go("/settings", "Settings")
    page.wait_text(".radio-card", "Dark").click()
    page.wait(lambda: page.js(background) == dark)
    page.emulate()
    assert page.js(background) == dark
    page.button("Theme: dark. Change it")


def test_the_focus_is_seen_and_follows_the_screen(page: Page) -> None:
    page.sign_in()
    page.go("/connect", "Connect")
    assert page.driver.switch_to.active_element.tag_name == "h1"
    page.js("document.querySelector('.skip').focus()")
    assert page.js("return document.querySelector('.skip').getBoundingClientRect().top") >= 0
    page.driver.switch_to.active_element.click()
    assert page.driver.switch_to.active_element.text == "Connect"
    page.cdp("Input.dispatchKeyEvent", type="keyDown", key="Tab", code="Tab", windowsVirtualKeyCode=9)
    outline = page.js("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_the_load_balancing_and_the_configuration(page: Page) -> None:
    page.sign_in()
    page.go("/settings", "Settings")
    page.wait_text(".radio-card", "Balanced").click()
    page.toast("Requests are now shared by load.")
    page.driver.refresh()
    page.wait(lambda: page.js("return document.querySelector('input[value=balanced]')?.checked"))
    page.wait_text(".settings-table tr", "adminApiKey")
    assert "admin-test-key" not in page.find("body").text
    many = len(page.all(".settings-table tbody tr"))
    page.wait_text(".check-line", "Only what differs").click()
    page.wait(lambda: 0 < len(page.all(".settings-table tbody tr")) < many)


def test_what_to_paste_into_clients(page: Page) -> None:
    page.sign_in()
    page.go("/connect", "Connect")
    page.wait_text("pre", f"export ANTHROPIC_BASE_URL={page.url}")
    page.type("Your API key", "it's mine")
    page.wait_text("pre", r"export ANTHROPIC_AUTH_TOKEN='it'\''s mine'")
    page.press("opencode")
    page.wait_text("pre", f'"baseURL": "{page.url}/v1"')


def test_the_policy_forbids_what_the_page_never_does(page: Page) -> None:
    page.sign_in()
    assert page.complaints() == []
    page.js("document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">x</p>')")
    complaint = page.wait(page.complaints)
    assert "Content Security Policy" in complaint[0]
