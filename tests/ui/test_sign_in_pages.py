"""kiro-rs's sign-in pages in a real browser: what it sends with our forms decides whether they work at all."""

from __future__ import annotations

from selenium.webdriver.common.by import By

from tests.ui.house import ADMIN_KEY, House
from tests.ui.page import Page

PAGES = "/v0/oauth/kiro"


def open_pages(page: Page) -> None:
    """Sign in with the form."""
    page.expected.append(f"{PAGES} - Failed to load resource: the server responded with a status of 401")
    page.driver.get(page.url + PAGES)
    page.type("adminApiKey of this proxy", ADMIN_KEY)
    page.press("Sign in")
    page.wait_text("h1", "Kiro accounts")


def test_a_login_from_the_form_to_its_end(house: House, page: Page) -> None:
    open_pages(page)
    page.press("Sign in with Builder ID")
    page.wait_text("h1", "Confirm the code")
    code = page.find(".code").text
    assert page.find("svg").size["width"] > 100
    house.approve(code, "ben")
    page.wait_text("h1", "Signed in")
    page.wait_text("body", "Account #2 is signed in")


def test_a_typed_address_begins_a_login(house: House, page: Page) -> None:
    open_pages(page)
    page.driver.get(f"{page.url}{PAGES}/start?method=builder-id")
    page.wait_text("h1", "Confirm the code")


def test_the_other_forms(house: House, page: Page) -> None:
    open_pages(page)
    page.press("Refresh all tokens")
    page.wait_text("body", "Refreshed 3 token(s)")
    page.driver.find_element(By.LINK_TEXT, "Back").click()
    page.wait_text("h1", "Kiro accounts")
    page.press("Sign out")
    page.wait_text("h1", "Sign in")
