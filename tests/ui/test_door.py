"""Coming in and going out."""

from __future__ import annotations

from tests.ui.house import ADMIN_KEY, House
from tests.ui.page import Page


def test_signing_in_and_out(page: Page) -> None:
    page.sign_in()
    page.wait_text("h1", "Overview")
    assert "ana@example.com" in page.wait_text(".quota-list", "ana").text
    page.driver.refresh()
    page.wait_text("h1", "Overview")
    assert ADMIN_KEY not in page.js("return JSON.stringify({...localStorage, ...sessionStorage})")
    assert "kiro_admin" not in page.js("return document.cookie")
    page.press("Sign out")
    page.wait_text("h1", "Sign in")
    page.driver.refresh()
    page.wait_text("h1", "Sign in")


def test_a_wrong_key_is_said_at_the_field_and_too_many_lock_the_door(page: Page) -> None:
    page.expected += ["status of 429"]
    page.open()
    page.press("Sign in")
    page.wait_text(".problem", "Admin key is needed.")
    for _ in range(5):
        page.type("Admin key", "not-the-key")
        page.press("Sign in")
        page.wait_text(".problem", "This is not the admin key.")
        assert page.find("input").get_attribute("aria-invalid") == "true"
    page.type("Admin key", ADMIN_KEY)
    page.press("Sign in")
    page.wait_text(".problem", "Too many wrong keys:")
    locked = page.wait_text("button[type=submit][disabled]", "Locked for").text
    page.wait(lambda: page.find("button[type=submit]").text < locked)  # it counts down


def test_being_remembered_is_a_choice(page: Page) -> None:
    page.sign_in()
    [cookie] = page.driver.get_cookies()
    assert "expiry" not in cookie
    page.press("Sign out")
    page.wait_text("h1", "Sign in")
    page.tick("Remember on this device")
    page.type("Admin key", ADMIN_KEY)
    page.press("Sign in")
    page.wait_text("h1", "Overview")
    [cookie] = page.driver.get_cookies()
    week = 7 * 86_400
    assert week - 600 < cookie["expiry"] - page.js("return Date.now() / 1000") <= week


def test_a_session_that_ends_elsewhere_leads_back_to_where_one_was(page: Page, house: House) -> None:
    page.sign_in("#/accounts/2")
    page.wait_text("h1", "ben@example.com")
    page.driver.delete_all_cookies()
    page.expected += ["status of 401"]

    def at_the_door() -> bool:
        if page.all(".notice", "Your session has ended"):
            return True  # a call of the page itself may have found out first
        page.button("Disable").click()
        return False

    page.wait(at_the_door)
    assert page.all(".toast") == []
    page.type("Admin key", ADMIN_KEY)
    page.press("Sign in")
    page.wait_text("h1", "ben@example.com")
    assert "disabled" not in house.entries()[1]
