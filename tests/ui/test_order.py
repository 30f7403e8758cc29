"""The order of accounts: by dragging, by keyboard, filtered, with many; and the columns."""

from __future__ import annotations

from pathlib import Path

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from kiro_rs_py.simulator.accounts import Account
from tests.ui.house import House, open_house
from tests.ui.page import Page


def names(page: Page) -> list[str]:
    """The accounts in the order they are shown."""
    return [row.text.split("@")[0].split()[-1] for row in page.all(".accounts tbody tr")]


def saved(house: House) -> list[int]:
    """The accounts' numbers in the order of the file's priorities."""
    ordered = sorted(house.entries(), key=lambda entry: (entry.get("priority", 0), entry["id"]))
    return [entry["id"] for entry in ordered]


def drag(page: Page, name: str, onto: str, *, below: bool) -> None:
    grip = page.row(name).find_element("css selector", ".grip")
    target = page.row(onto)
    height = target.size["height"]
    edge = round(height * 0.3) if below else -round(height * 0.3)
    actions = ActionChains(page.driver, duration=50).click_and_hold(grip)
    actions.move_to_element_with_offset(target, 0, edge).move_by_offset(0, 1).release().perform()


def test_dragging_a_row(page: Page, house: House) -> None:
    page.sign_in("#/accounts")
    page.row("cleo")
    drag(page, "cleo", "ana", below=False)
    page.wait(lambda: names(page) == ["cleo", "ana", "ben"])
    page.toast("The new order is saved.")
    assert saved(house) == [3, 1, 2]
    drag(page, "cleo", "ana", below=True)
    page.wait(lambda: names(page) == ["ana", "cleo", "ben"])
    page.wait(lambda: saved(house) == [1, 3, 2])
    assert page.all(".dragging, .drop-before, .drop-after") == []


def test_a_drag_can_be_given_up(page: Page, house: House) -> None:
    page.sign_in("#/accounts")
    grip = page.row("cleo").find_element("css selector", ".grip")
    ActionChains(page.driver, duration=50).click_and_hold(grip).move_to_element(page.row("ana")).perform()
    page.find(".dragging")
    page.find("body").send_keys(Keys.ESCAPE)
    assert page.all(".dragging") == []
    ActionChains(page.driver).release().perform()
    assert names(page) == ["ana", "ben", "cleo"]
    assert saved(house) == [1, 2, 3]


def test_by_keyboard_several_moves_are_one_change(page: Page, house: House) -> None:
    page.sign_in("#/accounts")
    page.row("cleo")
    up = page.button("Move cleo@example.com up")
    up.send_keys(Keys.ENTER, Keys.ENTER, Keys.ENTER)  # the last finds it at the top
    assert page.js("return document.querySelector('[role=status].visually-hidden').textContent").endswith("1 of 3.")
    assert names(page) == ["cleo", "ana", "ben"]
    assert page.driver.switch_to.active_element == page.button("Move cleo@example.com up")
    assert up.get_attribute("aria-disabled") == "true"
    page.toast("The new order is saved.")
    assert len(page.all(".toast")) == 1
    assert saved(house) == [3, 1, 2]


def test_only_where_the_list_is_sorted_by_priority(page: Page, house: House) -> None:
    page.sign_in("#/accounts")
    page.row("ana")
    page.press("Account")
    page.wait(lambda: not page.all(".grip"))
    down = page.button("Move ana@example.com down")
    assert down.get_attribute("aria-disabled") == "true"
    assert down.get_attribute("title") == "Sort by priority to change the order"
    page.press("Priority")
    page.wait(lambda: len(page.all(".grip")) == 3)


def test_a_filtered_list_moves_beside_what_is_seen(page: Page, house: House) -> None:
    page.sign_in("#/accounts")
    page.row("ben")
    page.press("ben@example.com enabled")
    page.wait(lambda: "Disabled" in page.row("ben").text)
    page.wait_text(".pills button", "Active").click()
    page.wait(lambda: names(page) == ["ana", "cleo"])
    page.press("Move cleo@example.com up")
    page.wait(lambda: names(page) == ["cleo", "ana"])
    page.wait(lambda: saved(house) == [3, 1, 2])


def test_a_change_that_cannot_be_saved_is_taken_back(page: Page, house: House) -> None:
    page.sign_in("#/accounts")
    page.row("cleo")
    text = house.path.read_text()
    house.path.write_text("{")
    page.expected.append("status of 500")
    page.press("Move cleo@example.com up")
    page.wait_text(".toast.bad", "credentials")
    page.wait(lambda: names(page) == ["ana", "ben", "cleo"])
    house.path.write_text(text)


def test_two_hundred_accounts_can_be_put_in_order(visit: Page, tmp_path: Path) -> None:
    page = visit
    accounts = [Account(name=f"user{number:03}") for number in range(200)]
    with open_house(tmp_path, accounts) as house:
        page.url = house.url
        page.sign_in("#/accounts")
        page.row("user000")
        before = house.path.stat().st_mtime_ns
        drag(page, "user004", "user000", below=False)
        page.wait(lambda: names(page)[0] == "user004")
        page.toast("The new order is saved.")
        assert saved(house)[:6] == [5, 1, 2, 3, 4, 6]
        # Those below stay as they are: the numbers give way only as far as they have to.
        assert house.entries()[9]["priority"] == 10
        assert house.path.stat().st_mtime_ns > before
        assert page.complaints() == []
        page.forget()


def test_the_columns_are_remembered(page: Page) -> None:
    page.sign_in("#/accounts")
    page.row("ana")
    assert page.all("th.col-method") == []
    page.press("Columns")
    for label in ("Method", "Plan", "Requests"):
        page.wait_text(".menu label", label).click()
    page.find("body").send_keys(Keys.ESCAPE)
    page.wait_text("td.col-method", "Builder ID")
    page.driver.refresh()
    page.wait_text("td.col-method", "Builder ID")
    page.wait_text("td.col-plan", "Free")
    assert page.all("th.col-requests") == []
    # What was chosen is shown where the room would not be enough for it, too.
    page.emulate(width=900)
    page.wait_text("td.col-used", "never")
