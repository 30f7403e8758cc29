"""Doing things to accounts."""

from __future__ import annotations

from selenium.webdriver.common.keys import Keys

from tests.ui.house import House
from tests.ui.page import Page


def test_disabling_and_enabling(page: Page, house: House) -> None:
    page.sign_in("#/accounts")
    page.row("ben")
    page.press("ben@example.com enabled")
    page.toast("ben@example.com is disabled.")
    page.wait(lambda: "Disabled" in page.row("ben").text)
    assert house.entries()[1]["disabled"] is True
    page.press("ben@example.com enabled")
    page.wait(lambda: "Active" in page.row("ben").text)
    assert "disabled" not in house.entries()[1]


def test_deleting_and_undoing(page: Page, house: House) -> None:
    page.sign_in("#/accounts")
    page.row("ana")
    page.menu("ana@example.com", "Delete…")
    page.press("Cancel", lambda: page.find("dialog"))
    page.wait_gone("dialog")
    assert len(house.entries()) == 3
    page.menu("ana@example.com", "Delete…")
    page.press("Delete", lambda: page.find("dialog"))
    page.toast("ana@example.com was deleted.")
    page.wait(lambda: len(page.all(".accounts tbody tr")) == 2)
    assert [entry["id"] for entry in house.entries()] == [2, 3]
    page.press("Undo")
    page.toast("ana@example.com is back.")
    page.wait(lambda: len(page.all(".accounts tbody tr")) == 3)
    assert sorted(entry["id"] for entry in house.entries()) == [1, 2, 3]


def test_the_balance(page: Page, house: House) -> None:
    page.sign_in("#/accounts/3")
    page.wait_text(".meter", "10 left")
    house.simulator.accounts["cleo"].used = 250.5
    page.press("Check now")
    # The page itself has asked a moment ago, and the service is not asked again for half a minute.
    page.toast("cleo@example.com: 10 of 1,000 credits left.")
    page.menu_of_detail("Refresh token")
    page.toast("cleo@example.com has a new token.")


def test_doing_the_same_to_many(page: Page, house: House) -> None:
    page.sign_in("#/accounts")
    page.row("ana")
    page.tick("Select all accounts shown")
    page.wait_text(".bulk-bar", "3 selected")
    page.press("Disable", lambda: page.find(".bulk-bar"))
    page.toast("3 accounts disabled.")
    assert [entry.get("disabled") for entry in house.entries()] == [True, True, True]
    page.press("Enable", lambda: page.find(".bulk-bar"))
    page.toast("3 accounts enabled.")
    page.press("Delete", lambda: page.find(".bulk-bar"))
    page.press("Delete 3", lambda: page.find("dialog"))
    page.toast("3 accounts were deleted.")
    page.wait_text("h2", "No accounts yet")
    page.press("Undo")
    page.toast("3 accounts are back.")
    page.wait(lambda: len(page.all(".accounts tbody tr")) == 3)
    assert not any(entry.get("disabled") for entry in house.entries())


def test_searching_filtering_and_sorting(page: Page) -> None:
    page.sign_in("#/accounts")
    page.row("ana")
    page.find("body").send_keys("/")
    page.driver.switch_to.active_element.send_keys("cle")
    page.wait(lambda: len(page.all(".accounts tbody tr")) == 1)
    page.driver.switch_to.active_element.send_keys("x")
    page.wait_text("h2", "No account matches")
    page.press("Show all accounts")
    page.wait(lambda: len(page.all(".accounts tbody tr")) == 3)
    page.press("Account")
    page.press("Account")
    page.wait(lambda: "cleo" in page.all(".accounts tbody tr")[0].text)
    assert page.find("th[aria-sort]").get_attribute("aria-sort") == "descending"


def test_changing_settings_of_an_account(page: Page, house: House) -> None:
    page.sign_in("#/accounts/1")
    page.wait_text("h1", "ana@example.com")
    page.type("Priority", "often")
    page.press("Save")
    page.wait_text(".problem", "Priority is a whole number from 0.")
    assert page.labelled("Priority").get_attribute("aria-invalid") == "true"
    page.type("Priority", "7")
    page.type("Proxy", "gopher://nowhere")
    page.expected += ["status of 400"]
    page.press("Save")
    page.wait(lambda: page.labelled("Proxy").get_attribute("aria-invalid") == "true")
    assert "priority" not in house.entries()[0] or house.entries()[0]["priority"] == 1
    page.type("Proxy", "direct")
    page.type("Label", "<b>Work</b>")
    page.press("Save")
    page.toast("The changes are saved.")
    page.wait_text("h1", "<b>Work</b>")
    entry = house.entries()[0]
    assert (entry["priority"], entry["label"], entry["proxyUrl"]) == (7, "<b>Work</b>", "direct")


def test_a_menu_by_keyboard(page: Page, house: House) -> None:
    page.sign_in("#/accounts")
    page.row("ben")
    opener = page.button("Actions for ben@example.com")
    opener.send_keys(Keys.ENTER)
    page.wait(lambda: page.driver.switch_to.active_element.text == "Check balance")
    page.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    page.wait_gone("[role=menu]")
    assert page.driver.switch_to.active_element == opener
    opener.send_keys(Keys.ENTER)
    page.wait(lambda: page.driver.switch_to.active_element.text == "Check balance")
    page.driver.switch_to.active_element.send_keys(Keys.END, Keys.ARROW_UP)
    assert page.driver.switch_to.active_element.text == "Disable"
    page.driver.switch_to.active_element.send_keys(Keys.ENTER)
    page.toast("ben@example.com is disabled.")
    assert house.entries()[1]["disabled"] is True


def test_addresses_can_be_hidden(page: Page) -> None:
    page.sign_in("#/accounts")
    page.row("ana@example.com")
    page.press("Hide e-mail addresses")
    page.row("a•••@e•••.com")
    for route, heading in (("/", "Overview"), ("/accounts/2", "b•••@e•••.com"), ("/activity", "Activity")):
        page.go(route, heading)
        assert "@example.com" not in page.find("body").text
    page.driver.refresh()
    page.wait_text("h1", "Activity")
    page.press("Hide e-mail addresses")
    page.go("/accounts", "Accounts")
    page.row("ana@example.com")
