"""The page of one account: its history, a test call, its models."""

from __future__ import annotations

from tests.ui.house import House
from tests.ui.page import Page


def test_the_history_is_written_while_one_looks(page: Page, house: House) -> None:
    page.sign_in("#/accounts/2")
    page.wait_text(".history li", "Active")
    page.press("Disable")
    page.wait_text(".history li:first-child", "Disabled")
    page.wait_text(".history li:first-child", "Manual")
    page.press("Enable", lambda: page.find(".page-head"))
    page.wait_text(".history li:first-child", "Active")
    assert [line.text.split("\n")[0] for line in page.all(".history li")] == ["Active", "Disabled", "Active"]


def test_a_test_call(page: Page, house: House) -> None:
    page.expected += ["status of 429"]
    page.sign_in("#/accounts/1")
    page.wait_text("p", "It costs a little credit.")
    page.press("Send a test")
    page.wait_text(".notice.good", "It works.")
    page.wait_text(".facts", "First event")
    page.press("Send a test")
    page.wait_text(".notice.warn", "wait a little")
    page.go("/accounts/2", "ben@example.com")
    # The look at his balance would find it out before the test does.
    page.wait_text(".card", " left")
    house.simulator.accounts["ben"].suspended = True
    page.press("Send a test")
    page.wait_text(".notice.bad", "It does not work.")
    page.wait_text(".history li:first-child", "Suspended")
    page.wait(lambda: page.button("Send a test").get_attribute("disabled"))
    page.go("/activity", "Activity")
    page.press("Administration")
    page.wait_text("tr", "AccountSuspended")
    page.wait_text("tr", "Account tested")


def test_the_models_of_an_account(page: Page, house: House) -> None:
    page.sign_in("#/accounts/1")
    page.press("Show all 24")
    row = page.wait_text("[aria-label='Models of this account'] tr", "claude-haiku-4.5")
    assert "×" in row.text
    assert "200K tokens" in row.text
    page.choose("Model of the test", "claude-haiku-4-5-20251001")
    page.press("Send a test")
    page.wait_text(".notice.good", "It works.")


def test_a_proxy_is_removed_or_it_is_said_why_not(page: Page) -> None:
    page.sign_in("#/accounts/2")
    page.type("Proxy", "direct")
    page.press("Save")
    page.toast("The changes are saved.")
    page.go("/accounts", "Accounts")
    page.go("/accounts/2", "ben@example.com")
    page.cdp("Network.enable")
    page.cdp("Network.setBlockedURLs", urls=["*/api/admin/credentials/2"])
    page.expected.append("ERR_BLOCKED_BY_CLIENT")
    page.press("Remove its proxy")
    page.toast("The server cannot be reached.")
    page.cdp("Network.setBlockedURLs", urls=[])
    page.press("Remove its proxy")
    page.toast("The proxy is removed.")
    page.wait(lambda: "its own" not in page.find(".page").text)
