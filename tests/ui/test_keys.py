"""Client keys from their making to their end."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

from selenium.webdriver.common.by import By

from tests.ui.house import House
from tests.ui.page import Page

BODY = {"model": "claude-sonnet-4-5", "max_tokens": 9, "messages": [{"role": "user", "content": "<<SAY hello>>"}]}


def status_with(house: House, key: str) -> int:
    """What a message request with that key is answered with."""
    request = urllib.request.Request(f"{house.url}/v1/messages", json.dumps(BODY).encode(), {"x-api-key": key})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def make(page: Page, name: str) -> str:
    """Make a key with the dialog, and copy it."""
    page.press("New key")
    page.type("Name", name)
    page.press("Make the key")
    secret = page.wait_text(".secret output", "sk-kiro-").text
    page.press("Copy the key")
    page.toast("Copied.")
    return secret


def test_made_copied_used_and_revoked(page: Page, house: House) -> None:
    page.sign_in("#/keys")
    page.wait_text("td", "The configured key")
    secret = make(page, "laptop")
    assert status_with(house, secret) == 200
    page.press("I have copied it")
    page.wait_gone(".secret")
    assert secret not in page.js("return document.documentElement.outerHTML + JSON.stringify({...localStorage})")
    page.wait_text(".keys tr", "laptop")
    page.press("laptop enabled")
    page.toast("laptop is disabled.")
    assert status_with(house, secret) == 401
    page.press("laptop enabled")
    page.toast("laptop is enabled.")
    assert status_with(house, secret) == 200
    page.press("Actions for laptop")
    page.press("Revoke…", lambda: page.find("[role=menu]"))
    page.press("Revoke", lambda: page.find("dialog"))
    page.toast("laptop is revoked.")
    assert status_with(house, secret) == 401
    page.wait(lambda: page.all(".keys tr", "laptop") == [])


def test_a_form_that_is_wrong_changes_nothing(page: Page, house: House) -> None:
    page.expected.append("status of 400")
    page.sign_in("#/keys")
    page.wait_text("td", "The configured key")
    page.press("New key")
    page.press("Make the key")
    page.wait_text(".problem", "Name is needed.")
    assert page.labelled("Name").get_attribute("aria-invalid") == "true"
    page.type("Name", "CI")
    page.choose("Expires", "On a day…")
    page.press("Make the key")
    page.wait_text(".problem", "Last day is needed.")
    page.js("arguments[0].value = '2020-01-01'", page.labelled("Last day"))
    page.press("Make the key")
    page.wait_text(".problem", "This day is over.")
    page.choose("Expires", "In 30 days")
    page.type("Models", "x" * 200)
    page.press("Make the key")
    page.wait(lambda: page.labelled("Models").get_attribute("aria-invalid") == "true")
    page.press("Cancel")
    page.wait_gone("dialog")
    assert page.all(".keys tr", "CI") == []


def test_changing_a_key(page: Page, house: House) -> None:
    page.sign_in("#/keys")
    page.wait_text("td", "The configured key")
    secret = make(page, "<i>CI</i>")
    page.wait_text(".keys tr", "<i>CI</i>")
    page.press("Actions for <i>CI</i>")
    page.press("Edit…", lambda: page.find("[role=menu]"))
    page.type("Name", "robot")
    page.type("Models", "claude-haiku-4-5, claude-opus-4-5")
    page.choose("Expires", "In 7 days")
    page.press("Save")
    page.toast("The changes are saved.")
    row = page.wait_text(".keys tr", "robot")
    assert "claude-haiku-4-5, claude-opus-4-5" in row.text
    assert row.find_element(By.CSS_SELECTOR, "time[data-tick=left]").text == "7 days"
    assert status_with(house, secret) in (403, 404)
